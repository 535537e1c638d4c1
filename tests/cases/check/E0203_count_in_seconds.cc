use paper
pretrain odd = crisscross with { bs = 2s }
