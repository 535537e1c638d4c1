use paper
allow W0503, W0504 "two codes"
allow(W0503)
allow "no code"
pretrain a = crisscross with {
  allow W0503: "a colon"
  bs = 2
}
allow W0503 because it is meant
loss x = intra + + sync
