use paper
pretrain x = crisscross { bs = 2 }
table t {
  of = x { bs = 4 }
  row
}
