use paper
pretrain small = crisscross with { loss = -cos(sg(p(v[1])), z(v[2])) }
