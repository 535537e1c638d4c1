use paper
let target = ema(z, decay: cosine(0.99 -> 1))
pretrain small = crisscross with { loss = mean(mse(l2(z(v[i])), sg(l2(target(v[j])))) for i != j in views) }
