use paper
eval click = linear2s with { clip = 50ms @ 16kHz   features = conv5 - maxpool(1, stride: 1) }
