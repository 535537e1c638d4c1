use paper
pretrain crisscross = crisscross_k400 with { bs = 512 }
