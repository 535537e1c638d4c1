# Figure 5: loss curves of the predictor designs of Table 3, and accuracy against the size of the pretraining set of Table 4.
#
#   crisscross run experiments/fig5.cc          crisscross run --toy experiments/fig5.cc
#
# The losses stand in `metrics.jsonl` of each run.
# Cost: 5 pretrainings (Table S10), each one of Tables 1, 3 and 4 and trained once: 3 of 100 epochs of 429 steps of batch 512 on 4
# GPUs (KS), 1 of 100 epochs of 488 steps of batch 2048 on 8 GPUs (K400), 1 of 100 epochs of 1708 steps of batch 2048 on 8 GPUs
# (AS); how long they took is not reported. The roots of KS, K400, AS, HMDB51, UCF101 and ESC50 stand in crisscross.toml.
# Numbers: the paper prints none for its curves; the points of the right half are those of Table 4, without DCASE (Sec. 4.6).

use paper
use "table4.cc"

figure fig5_left "Loss curves of predictor designs" {
  of     = crisscross
  curves = [train.loss]
  row "lr_p = lr_b" lr_p = lr_b.start
  row "comm. pred." v.h = l2 - pred, a.h = same(v.h)
  row "default"
}

figure fig5_right "Accuracy against pretraining size" {
  allow W0707 "the paper scores K400 after KS"
  scores = [linear32 on HMDB51, linear32 on UCF101, linear_fc on K400, linear5s on ESC50]
  x      = of.data.train
  row of = crisscross
  row of = crisscross_k400
  row of = crisscross_as
}
