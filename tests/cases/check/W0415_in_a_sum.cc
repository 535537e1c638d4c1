use paper
pretrain small = crisscross with { loss = intra + 1/2 * cos(p(v[1]), sg(z(a[2]))) - 1/2 * mse(p(a[1]), sg(z(v[2]))) }
