use paper
pretrain fast = crisscross with { lr_b = cosine(2s -> 0) }
