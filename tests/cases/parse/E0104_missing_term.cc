loss a = intra + + sync
loss b = intra +
pretrain c = crisscross with {
  loss =
  weights = unit
}
loss d = mean(, 2)
loss e = * sync
