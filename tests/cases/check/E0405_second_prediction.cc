use paper
pretrain narrow = crisscross with {
  v.f = r2plus1d18 - fc(256)   v.h = fc(64)-bn-relu - fc(128)
  modalities = [v]
  loss = cos(h(p(v[1])), sg(p(v[2])))
}
