# A window of two numbers on pictures.
use paper
eval two = linear8 with { features = conv5 - maxpool(4, 4, stride: 1) }
