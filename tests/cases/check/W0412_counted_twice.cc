use paper
pretrain small = crisscross with { loss = intra + v1v2 }
