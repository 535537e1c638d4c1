use paper
pretrain small = crisscross with { loss = -mse(p(v[1]), sg(z(v[2]))) }
