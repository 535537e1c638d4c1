use paper
pretrain small = crisscross with { bs = 1   es = 100 }
