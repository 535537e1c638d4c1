use paper
pretrain small = crisscross with {
  bs = 1   es = 100   weights = exact
  v.f = r2plus1d18 - fc(256)   a.f = resnet18 - fc(256)
  loss = mse(z(v[1]), z(a[1])) + cov(z(v[1]))
}
