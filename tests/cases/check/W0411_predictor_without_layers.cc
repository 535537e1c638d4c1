use paper
pretrain small = crisscross with { loss = pair(v[1], v[2])   v.h = l2 }
