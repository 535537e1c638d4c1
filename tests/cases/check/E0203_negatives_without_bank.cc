use paper
let bank = memory(z, momentum: 0.5)
loss from_bank  = info_nce(z(v[1]), bank(a[1]), t: 0.07, negatives: 1024)
loss from_batch = info_nce(z(v[1]), z(a[1]), t: 0.07, negatives: 1024)
pretrain banked = crisscross with { loss = from_bank }
pretrain batched = crisscross with { loss = from_batch }
