use paper
pretrain small = crisscross with { optim = adam(wd = 0.1) }
