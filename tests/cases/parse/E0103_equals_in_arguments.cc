pretrain small = crisscross with {
  optim = adam(wd = 0.1)
  bs: 512
  ep == 5
}
