use paper
pretrain small = crisscross with { loss = cos(p(v[1]), sg(z(v[2]))) }
