use paper
pretrain small = crisscross with { loss = sync   a.h = same(v.h) }
