# Values in another form than their place takes.
use paper
loss mine = D(p(v1), sg(z(v_2)))
loss kept = 1/3(intra) + 2(sync + async)
loss exact_one = intra with { weights = exact }
pretrain one = crisscross with { loss = mine }
pretrain two = crisscross with { loss = intra with { weights = exact } }
pretrain three = crisscross with {
  loss = intra with { weights = exact }
  bs   = 256
}
table t {
  of     = [one, crisscross]
  scores = [linear8 on UCF-101, linear2s on ESC-50]
  row
}
table paired {
  of     = crisscross
  scores = [linear8 on UCF101]
  for (bs, ep) in [[256, 10], [512, 20]] { row }
  for (bs, ep) in [256, 512] { row }
}
