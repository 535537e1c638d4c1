# fights: fight or no fight in surveillance clips, by the video networks of esc10.cc: linear probe and retrieval, folds grouped by
# the film that a clip was cut from.
#
#   crisscross run experiments/local/fights.cc
#
# Whether a clip has sound is a hint at its class, so sound is not used. Films are never in two folds, or the probe would learn
# films. The networks have seen nothing but talking faces.
# Cost: 12 pretrainings, those of `esc10_losses` that have video. Needs the roots of `grid` and of `fights` (300 clips of 1 to 5 s, 2
# classes, CSV with 5 folds) in crisscross.toml.
# Numbers: none are published.

use paper
use "esc10.cc"

data fights = videos(train: 300, classes: 2, requires: [v], splits: 5, short: loop)

# At the size of pretraining instead of 224 pixels: a quarter of the work.
eval action = linear8 with {
  clip = 8x112px @ 16fps
  train = random(2)   test = uniform(2)
  head = svm(cost: best(few, split: val(20%)))
}
eval alike {
  uses       = v
  clip       = 8x112px @ 16fps
  train      = uniform(1)
  test       = uniform(1)
  features   = conv5 - maxpool(1, 4, 4, stride: 1)
  neighbours = knn(distance: cosine)
  score      = [recall(1), recall(5)]
}

table fights_table "Fight or no fight: linear probe and retrieval" {
  of     = base
  scores = [action on fights, alike on fights]
  for seed in range(0, 2) {
    row "no pretraining" ep = 0
    row loss = intra
    row loss = intra + sync
    row loss = intra + sync + async
  }
}
