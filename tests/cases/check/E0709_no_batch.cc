use paper
pretrain small = crisscross with { es = 256 }
