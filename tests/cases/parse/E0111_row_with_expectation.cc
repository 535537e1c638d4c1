table t {
  of = crisscross
  row loss = intra bs = 256 ep = 5 expect 69.1
  row loss = sync bs = 256, ep = 5
  row loss = sync, bs = 256 expect 70.1
}
