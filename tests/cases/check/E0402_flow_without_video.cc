use paper
modality o = flow(of: v, method: tvl1)
pretrain motion = crisscross with {
  modalities = [a, o]
  o.augment = follow(v)   o.f = r2plus1d18 - proj   o.h = pred
}
