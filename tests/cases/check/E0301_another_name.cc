# Names that differ in their number, and short ones, are no slips for certain: nothing of it is replaced unasked.
use paper
eval other = linear8 with { features = conv4 - maxpool(1, 4, 4, stride: 1) }
table t { of = crisscross  scores = [other on UCF102]  row allow W0504 "of another" }
