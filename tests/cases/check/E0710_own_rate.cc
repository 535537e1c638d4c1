use paper
pretrain small = crisscross with { ep = 3  lr_b = cosine(0.003 -> 0.0001, warmup: 10ep) }
