# digits: the spoken digit of GRID, one speaker, from the sound of the networks of esc10.cc.
#
#   crisscross run experiments/local/digits.cc
#
# The digit lies at about the middle of each clip of 3 s; a window of 2 s holds it. The networks have seen these clips in
# pretraining, without labels: a set with folds is trained on whole. Read it beside `esc10`, whose sounds they never saw.
# Cost: 15 pretrainings, those of `esc10_losses`. Needs the root of `grid` in crisscross.toml.
# Numbers: none are published.

use paper
use "esc10.cc"

eval digits = linear2s with {
  uses    = s
  train = random(2)   test = uniform(2)
  augment = VJ-M-RC
  head    = svm(cost: best(few, split: val(20%)))
}

table digits_table "Spoken digits of one speaker, linear probe" {
  of     = base
  scores = [digits on grid]
  for seed in range(0, 2) {
    row "no pretraining" ep = 0
    row loss = s1s2
    row loss = intra
    row loss = intra + sync
    row loss = intra + sync + async
  }
}
