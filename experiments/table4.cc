# Table 4: linear evaluation against the size of the pretraining set. The same numbers are the right of Figure 5.
#
#   crisscross run experiments/table4.cc          crisscross run --toy experiments/table4.cc
#
# 32 frames are scored by a linear layer, for their features are too many to hold (App. E.1).
# Cost: 3 pretrainings (Table S10): 1 of 100 epochs of 429 steps of batch 512 on 4 GPUs (KS), 1 of 100 epochs of 488 steps of
# batch 2048 on 8 GPUs (K400), 1 of 100 epochs of 1708 steps of batch 2048 on 8 GPUs (AS); how long they took is not reported. The
# roots of all seven sets stand in crisscross.toml.
# Numbers: those behind `expect` are Table 4 of the paper.

use paper

# Kinetics400 is scored with 8 frames and a linear layer. Epochs and rate are not reported.
eval linear_fc = linear8 with { train = random(1)   head = linear(ep: 20, lr: 0.01) }

table table4 "Linear evaluation against the size of the pretraining set" {
  allow W0707 "the paper scores K400 after KS"
  scores = [linear32 on HMDB51, linear32 on UCF101, linear_fc on K400, linear5s on ESC50, linear1s on DCASE]
  row of = crisscross        expect 45.7, 78.1, 39.0, 82.8, 93.0
  row of = crisscross_k400   expect 50.0, 83.9, 44.5, 86.8, 96.0
  row of = crisscross_as     expect 56.2, 87.7, 50.1, 90.5, 97.0
}
