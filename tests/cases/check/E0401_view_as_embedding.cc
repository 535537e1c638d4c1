use paper
pretrain small = crisscross with { loss = -cos(v[1], sg(z(v[2]))) }
