use paper
modality o = flow(of: q, method: tvl1)
modality q = flow(of: o, method: tvl1)
pretrain motion = crisscross with { modalities = [v, a, o]   o.augment = follow(q)   o.f = r2plus1d18 - proj   o.h = pred }
