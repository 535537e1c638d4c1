# Table 4: linear evaluation against the size of the pretraining set. The same numbers are the right of Figure 5.
#
#   crisscross run experiments/table4.cc          crisscross run --toy experiments/table4.cc
#
# As published: 100 epochs of 220 K (KS, 4 GPUs), 1 M (K400, 8 GPUs) and 3.5 M samples (AS, 8 GPUs). The roots of all seven sets
# stand in crisscross.toml. 32 frames are scored by a linear layer, for their features are too many to hold (App. E.1).

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
