use paper
modality o = flow(of: v, method: tvl1)
pretrain motion = crisscross with { o.augment = follow(v) }
