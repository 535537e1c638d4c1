use paper
modality o = flow(of: v, method: tvl1)
pretrain motion = crisscross with {
  modalities = [v, a, o]
  o.augment = follow(v)   o.f = same(v.f)   o.h = pred
}
