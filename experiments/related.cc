# Five other methods with the same views, networks, data and probes, and one that no paper has: AVID with relaxed time.
#
#   crisscross plan experiments/related.cc
#
# Weights, temperatures and decays are those that the methods publish; their batches, networks and schedules are the ones of this
# paper, so the rows compare objectives.
# Cost: 7 pretrainings of 100 epochs of 429 steps of batch 512 (KS); the last but one is row 11 of Table 1 and is trained once;
# not measured. The roots of KS, UCF101 and ESC50 stand in crisscross.toml.
# Numbers: the rows reproduce no published number, so nothing is expected.

use paper

let target = ema(z, decay: cosine(0.99 -> 1))
let bank   = memory(z, momentum: 0.5)
let protos = linear(300)

loss simsiam   = pair(v[1], v[2])
loss byol      = mean(mse(l2(p(v[i])), sg(l2(target(v[j])))) for i != j in views)
loss vicreg    = 25 * mse(z(v[1]), z(v[2]))
               + 25 * (hinge_std(z(v[1])) + hinge_std(z(v[2])))
               + cov(z(v[1])) + cov(z(v[2]))
loss swav      = mean(xent(protos(l2(z(v[i]))) / 0.1, sg(sinkhorn(protos(l2(z(v[j]))), eps: 0.05))) for i != j in views)
loss nce(x, y) = info_nce(l2(z(x)), l2(bank(y)), t: 0.07, negatives: 1024)
loss avid      = mean(nce(m[1], n[1]) + nce(n[1], m[1]) for m < n in modalities)

table related "One network, six objectives" {
  of     = crisscross
  scores = [linear8 on UCF101, linear2s on ESC50]
  row "SimSiam"    loss = simsiam
  row "BYOL"       loss = byol
  row "VICReg"     loss = vicreg, weights = exact
  row "SwAV"       loss = swav
  row "Cross-AVID" loss = avid, views = 1, relax = none
  row "CrissCross"
  row "AVID + relaxed time" loss = mean(nce(m[i], n[j]) + nce(n[j], m[i]) for m < n in modalities, i != j in views)
}
