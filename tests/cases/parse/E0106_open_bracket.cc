pretrain small {
  optim = adam(wd: 0.1
  modalities = [v, a
  views = (2]
}
}
