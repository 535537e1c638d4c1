use paper
pretrain small = crisscross with { v.augment = VJ }
