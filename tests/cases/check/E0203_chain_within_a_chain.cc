use paper
pretrain seen = crisscross with { v.augment = consistent(MSC-HF) - GS }
