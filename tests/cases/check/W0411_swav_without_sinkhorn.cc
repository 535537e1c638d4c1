use paper
let protos = linear(300)
pretrain small = crisscross with {
  loss = mean(xent(protos(l2(z(v[i]))) / 0.1, sg(protos(l2(z(v[j]))))) for i != j in views)
}
