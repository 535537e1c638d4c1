use paper
pretrain z    = crisscross with { bs = 256 }
pretrain mine = crisscross with { bs = 256 }
pretrain mine = crisscross with { bs = 128 }
