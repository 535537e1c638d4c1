use paper
let clusters = kmeans(z)
loss grouped = xent(z(v[1]), clusters(v[2]))
pretrain small = crisscross with { loss = grouped }
