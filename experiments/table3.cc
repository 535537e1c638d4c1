# Table 3: the rate and sharing of the predictor, and the depth of the projector. Its loss curves are the left of Figure 5.
#
#   crisscross run experiments/table3.cc          crisscross run --toy experiments/table3.cc
#
# A shared predictor comes with an l2 in front of it (App. F).
# Cost: 4 pretrainings of 100 epochs of 429 steps of batch 512 on 4 GPUs (KS; Table S10); the default row is row 11 of Table 1 and
# is trained once; how long they took is not reported. The roots of KS, UCF101 and ESC50 stand in crisscross.toml.
# Numbers: those behind `expect` are Table 3 of the paper.

use paper

table table3 "Predictor and projector design" {
  of     = crisscross
  scores = [linear8 on UCF101, linear2s on ESC50]

  row "lr_p = lr_b"    lr_p = lr_b.start                                  expect 59.0, 62.3
  row "comm. pred."    v.h = l2 - pred, a.h = same(v.h)                   expect 73.6, 75.3
  row "2 layers proj." v.f = r2plus1d18 - proj2, a.f = resnet18 - proj2   expect 72.4, 75.0
  row "default"                                                           expect 74.8, 79.0
}
