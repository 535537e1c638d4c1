# Figure S1: video-to-video retrieval, queries and their five nearest neighbours, the right ones green and the wrong ones red.
#
#   crisscross plan experiments/figS1.cc
#
# Pretraining as in the K400 row of Table 4. "Features extracted from randomly selected samples of the validation split" query
# "the training features" (App. B): the test and the train part of K400. Nine are shown. The figure has no
# numbers. The root of K400 stands in crisscross.toml. Drawings are planned and not executed yet.

use paper
use "downstream.cc"

figure figS1 "Video-to-video retrieval" {
  of   = crisscross_k400
  draw = gallery(retrieval on K400, queries: 9, top: 5)
  row "CrissCross"
}
