# esc10: full-size networks on real clips, small enough for a CPU. Talking faces train, two audio probes score.
#
#   crisscross run experiments/local/esc10.cc
#
# 300 steps of batch 16 a row are far too few to compare methods: the point is that everything in the path is real. GRID has
# folds, so pretraining sees all its clips, those that `digits` tests included, without their labels.
# Cost: 5 pretrainings, about 80 minutes together on two cores. Needs the roots of `grid` (GRID, speaker 1: 1000 clips of 3 s, CSV
# with the spoken digit as label and 5 folds) and of `esc10` (ESC-10: 400 sounds of 5 s, 5 folds) in crisscross.toml;
# crisscross.example.toml shows them.
# Numbers: none are published.

use paper

data grid  = videos(train: 1000, classes: 10, requires: [v, a], splits: 5, short: skip)
data esc10 = sounds(train: 400, classes: 10, splits: 5, short: pad)

pretrain base = crisscross with {
  data = grid   bs = 16   es = 4800   ep = 1
  lr_b      = cosine(0.0002 -> 0, warmup: 0.05ep)   # 15 of 300 steps
  precision = fp32
}

# Three costs instead of eight, chosen on held-out training clips: the full sweep of the prelude takes hours here.
let few = [0.00001, 0.0001, 0.001]

# Spoken digits: one speaker, the digit at about the middle of each clip. A window of 2 s of the 3 s holds it.
eval digits = linear2s with {
  train = random(3)   test = uniform(3)
  augment = VJ-M-RC
  head    = svm(cost: best(few, split: val(20%)))
}
eval sounds10 = linear2s with {
  train = random(3)   test = uniform(3)
  head = svm(cost: best(few, split: val(20%)))
}

table esc10_table "Real clips: 300 steps on talking faces, linear probes on sounds and on spoken digits" {
  of     = base
  scores = [sounds10 on esc10, digits on grid]
  row "no pretraining" ep = 0
  row loss = a1a2
  row loss = intra
  row loss = intra + sync
  row loss = intra + sync + async
}
