use paper
loss half = 0.5 intra
loss both = intra sync
pretrain x = crisscross with {
  loss = 0.5 intra + sync
  weights = unit
}
pretrain y = crisscross with {
  loss = intra sync
  weights = unit
  ep = 5 s
}
