use paper
pretrain small = crisscross with { v.f = fc(2048) - fc(512) }
