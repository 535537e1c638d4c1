use paper
pretrain small = crisscross with { a.f = same(v.f) }
