use paper
pretrain small = crisscross with {
  a.f  = resnet18 - fc(256)-bn
  loss = mse(z(v[1]), sg(z(a[1])))
}
