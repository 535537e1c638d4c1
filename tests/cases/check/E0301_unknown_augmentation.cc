use paper
pretrain small = crisscross with { v.augment = MSC-HF-CK }
