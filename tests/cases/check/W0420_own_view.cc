use paper
loss itself = pair(v[1], v[1])
loss all    = mean(pair(m[1], n[1]) for m in modalities, n in modalities)
pretrain one = crisscross with { loss = intra + itself }
pretrain two = crisscross with { loss = all }
pretrain own = crisscross with { loss = intra + 1/2 * mse(p(a[2]), sg(z(a[2])))   weights = exact }
# What a bank holds was made of earlier views.
let bank = memory(z, momentum: 0.5)
pretrain old = crisscross with { modalities = [v]   loss = info_nce(z(v[1]), bank(v[1]), t: 0.07) }
