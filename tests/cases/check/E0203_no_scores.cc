use paper
table one {
  of = crisscross   scores = []
  row expect 80.0
}
