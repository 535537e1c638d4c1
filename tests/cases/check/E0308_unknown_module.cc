use papre
pretrain small = crisscross with { bs = 64 }
