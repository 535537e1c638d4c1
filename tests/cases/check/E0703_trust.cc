use paper
pretrain small = crisscross with { optim = larc(sgd(mtm: 0.9, wd: 0.0), trust: 0) }
