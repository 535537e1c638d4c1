use paper
pretrain small = crisscross with { a.augment = M-VJ }
