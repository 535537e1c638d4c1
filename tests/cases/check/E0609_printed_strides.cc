use paper
# Table S6 as it is printed: stride 2 in every row.
layers printed = resnet(depth: 18, width: 64, channels: 1, strides: (2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2))
pretrain small = crisscross with { a.f = printed - proj }
pretrain spelled = crisscross with { a.f = resnet(depth: 10, width: 64, channels: 1, strides: (1, 1, 2, 1, 2, 1, 2, 2)) - proj }
