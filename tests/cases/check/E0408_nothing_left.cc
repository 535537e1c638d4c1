use paper
pretrain small = crisscross with { loss = intra - intra }
