use paper
pretrain small = crisscross with {
  v.f = r2plus1d18 - fc(256)   v.h = fc(64)-bn-relu - fc(512)
  a.f = resnet18 - fc(512)     a.h = same(v.h)
}
