use paper
pretrain flicker = crisscross with { v.augment = per_frame(MSC-HF-CJ-GS-GB-C) }
