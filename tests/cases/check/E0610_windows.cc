use paper
modality o = flow(of: v, method: tvl1)
pretrain motion = crisscross with {
  modalities = [v, a, o]
  o.augment = follow(v)   o.f = r2plus1d18 - proj   o.h = pred
  relax = windows(within: independent, o: same, across: inside)
}
eval seen = linear8 with { uses = o   augment = follow(v) }
