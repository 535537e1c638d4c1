# Figure S1: video-to-video retrieval, queries and their five nearest neighbours, the right ones green and the wrong ones red.
#
#   crisscross run experiments/figS1.cc          crisscross run --toy experiments/figS1.cc
#
# "Features extracted from randomly selected samples of the validation split" query "the training features" (App. B): the test and
# the train part of K400. Nine are shown.
# Cost: 1 pretraining of 100 epochs of 488 steps of batch 2048 on 8 GPUs (K400), that of Table 4 and trained once (Table S10); how
# long they took is not reported. The root of K400 stands in crisscross.toml.
# Numbers: the figure has none, so nothing is expected.

use paper
use "downstream.cc"

figure figS1 "Video-to-video retrieval" {
  of   = crisscross_k400
  draw = gallery(retrieval on K400, queries: 9, top: 5)
  row "CrissCross"
}
