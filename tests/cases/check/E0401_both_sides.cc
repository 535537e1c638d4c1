use paper
pretrain small = crisscross with { loss = -cos(v[1], v[2]) }
