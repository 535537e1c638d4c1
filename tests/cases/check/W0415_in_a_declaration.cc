use paper
loss late(x, y) = 1/2 * cos(p(x), sg(z(y))) + 1/2 * cos(p(y), sg(z(x)))
pretrain small = crisscross with { loss = mean(late(v[i], v[j]) for i < j in views) }
pretrain whole = crisscross with { loss = -1/2 * (intra + sync) }
