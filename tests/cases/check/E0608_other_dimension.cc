use paper
eval fused = linear2s with { features = conv5 - maxpool(1, 4, stride: 4)   dim = 2048 }
