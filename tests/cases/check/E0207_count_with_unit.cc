use paper
pretrain short = crisscross with { ep = 100ep }
