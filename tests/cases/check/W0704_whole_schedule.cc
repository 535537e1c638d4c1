use paper
table rates {
  of = crisscross
  row "as the base" lr_p = lr_b
  row "constant"    lr_p = lr_b.start
}
