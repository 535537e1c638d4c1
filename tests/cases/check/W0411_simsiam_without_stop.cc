use paper
pretrain small = crisscross with { loss = -cos(p(v[1]), z(v[2])) }
