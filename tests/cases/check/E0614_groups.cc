use paper

pretrain uneven = crisscross with { bs = 96  bn_group = 36 }
pretrain single = crisscross with { bn_group = 1 }
pretrain both   = crisscross with { bn = joint  bn_group = 32 }
pretrain right  = crisscross with { bs = 96  bn_group = 32 }
