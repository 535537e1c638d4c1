use paper
table one {
  of = crisscross
  row loss = intra bs = 256 lr_b = 0.1
  row loss = sync
      bs = 512
  for e in [5, 10] row ep = e bs = 256
  for e in [20, 30] {
    row ep = e bs = 256
  }
}
