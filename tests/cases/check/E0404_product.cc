use paper
pretrain small = crisscross with { loss = v1v2 * a1a2 }
