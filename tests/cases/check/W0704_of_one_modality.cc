use paper
pretrain one   = crisscross with { v.lr_p = lr_b }
pretrain other = crisscross with { lr_p = crisscross_k400.lr_b }
