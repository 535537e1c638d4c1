# The two ends of a range as two arguments.
use paper
pretrain one = crisscross with { lr_b = cosine(0.0002, 0, warmup: 2)   lr_p = cosine(from: 0.1, to: 0) }
