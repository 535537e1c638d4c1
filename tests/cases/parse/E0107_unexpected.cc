table t {
  row { loss = intra }
  for loss = [intra] { row }
  row expect -
  a = 'text'
  b = 1 < 2 < 3
  c = .5
}
loss 3
loss d 3
loss e = crisscross with (bs = 3)
