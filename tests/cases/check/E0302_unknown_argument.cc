use paper
pretrain small = crisscross with { optim = adam(beta: (0.9, 0.999), wd: 0.0001) }
