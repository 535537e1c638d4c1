pretrain small = crisscross with {
  bs = 512

table next {
  of = small
}
