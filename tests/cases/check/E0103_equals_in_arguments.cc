use paper
pretrain small = crisscross with { optim = adam(betas: (0.9, 0.999), wd = 0.1) }
