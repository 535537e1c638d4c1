# Forms of Python, JSON and Hydra.
use paper
pretrain one = crisscross with { +bs = 64   ep = 5epochs }
pretrain two = crisscross with { "bs": 64 }
pretrain three = crisscross with {
  modalities = v, a
  a.augment  = VJ, M, RC
  loss       = 0.5sync + intra
  bs = 64 +ep = 3
}
table four {
  of = crisscross
  row: loss = intra
  row "label": loss = intra
  row loss in [intra, sync]
}
