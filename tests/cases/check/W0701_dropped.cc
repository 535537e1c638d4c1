use paper
pretrain small = crisscross with { es = 1000   bs = 64 }
pretrain other = crisscross with { bs = 256 }
table inherited {
  of = crisscross
  row
  row loss = intra
}
