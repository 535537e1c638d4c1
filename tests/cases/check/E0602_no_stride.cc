use paper
eval pooled = linear8 with { features = conv5 - maxpool(1, 4, 4) }
