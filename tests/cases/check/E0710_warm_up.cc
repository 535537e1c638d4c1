use paper
pretrain small = crisscross with { ep = 1 }
