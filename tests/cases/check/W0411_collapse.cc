use paper
pretrain small = crisscross with { loss = mse(z(v[1]), z(v[2])) }
