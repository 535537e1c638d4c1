table t {
  modalities = [v a]
  optim = adam(betas: (0.9 0.999) wd: 0.1)
  row expect 69.1 62.0
}
