use paper
modality t = text(clip: 2s, tokens: 16tokens, from: captions)
modality o = flow(of: v, method: tvl1)
data talk = videos(train: 9K, classes: 10, requires: [v, a, t], short: skip)
pretrain heard = crisscross with {
  data = talk   modalities = [v, a, t]
  t.augment = VJ   t.f = bag_of_words(vocab: 30K, width: 512) - proj   t.h = pred
}
pretrain dropped = crisscross with { v.augment = MSC - drop_words(p: 0.1) }
pretrain followed = crisscross with { v.augment = follow(v) }
pretrain coloured = crisscross with {
  modalities = [v, a, o]
  o.augment = MSC-CJ   o.f = r2plus1d18 - proj   o.h = pred
}
pretrain doubled = crisscross with {
  modalities = [v, a, o]
  o.augment = follow(v) - MSC   o.f = r2plus1d18 - proj   o.h = pred
}
pretrain blinking = crisscross with {
  data = talk   modalities = [v, a, t]
  t.augment = per_frame(drop_words(p: 0.1))   t.f = bag_of_words(vocab: 30K, width: 512) - proj   t.h = pred
}
