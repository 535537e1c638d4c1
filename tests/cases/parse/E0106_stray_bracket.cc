# One bracket too many, then two of the wrong kind.
pretrain x = crisscross with { loss = intra + sync) }
pretrain y = crisscross with { loss = D(p(v[1]]), sg(z(v[2]))) }
pretrain z = crisscross with { loss = D(p(v[1]], sg(z(v[2]))) }
pretrain w = crisscross with { loss = (intra + sync] }
pretrain u = crisscross with {
  optim = adam(mtm: (0.9, 0.999)), wd: 0.0001)
  ep    = 2)
  bs    = 256
}
table t {
  of = crisscross
  for x in [intra, sync] { row loss = x }}
  scores = [linear8 on UCF101]
  row bs = 256
}
