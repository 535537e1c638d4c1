# What nothing uses is read as well.
use paper

loss bare     = cos(v[1], z(v[2]))
loss product  = intra * sync
loss third    = pair(v[3], a[1])
loss time     = mse(z(v[1]), 3s)
loss policy   = intra + mild
loss scored(x, y) = mse(x, 3s) - D(x, y)
loss added(x) = pair(x, v[1]) + mild
let target    = z(v[2]).detach()
let slow      = ema(z, decay: cosine(2 -> 1))
let rate      = cosine(0.1 -> 3s)
let chain     = MSC - horizontal_flip(p: 3)
let copy      = crisscross with { bss = 3 }

# Right, and for other runs than that of this file.
loss crossed(x, y, t) = info_nce(z(x), z(y), t: t)
loss of_both = mean(-cos(p(m[1]), sg(z(n[1]))) for m < n in modalities)
let half = 1/2
let embedding = half * z(v[1])

pretrain x = crisscross with { modalities = [v]   loss = intra   ep = 10 }
table t {
  of = x   scores = [linear8 on UCF101]
  row
}
