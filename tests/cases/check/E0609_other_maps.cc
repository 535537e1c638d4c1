use paper
# The sizes of Table S6 with a stride of 2 for each stage.
pretrain small = crisscross with {
  a.f = resnet(depth: 18, width: 64, channels: 1, strides: (2, 2, 2, 2), maps: [(20, 50), (10, 25), (5, 13), (3, 7)]) - proj
}
pretrain few = crisscross with { v.f = r2plus1d(depth: 18, width: 64, maps: [(8, 28, 28)]) - proj }
pretrain odd = crisscross with { v.f = r2plus1d(depth: 18, width: 64, strides: (1, 2)) - proj }
