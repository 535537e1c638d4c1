use paper

loss a = intra + + sync
loss b = intra + sync

pretrain small = crisscross with {
  bs = 64, ep = 5
}

table t {
  of = small
  row loss = a expect 1 2
}
