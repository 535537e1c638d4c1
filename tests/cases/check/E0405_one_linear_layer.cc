use paper
let protos = linear(300)
pretrain narrow = crisscross with {
  a.f  = resnet18 - fc(256)
  loss = xent(protos(z(v[1])), sg(protos(z(a[1]))))
}
