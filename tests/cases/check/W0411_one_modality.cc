use paper
pretrain small = crisscross with { loss = v1v2 - cos(z(a[1]), z(a[2])) }
