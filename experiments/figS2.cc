# Figure S2: audio-to-audio retrieval, queries and their five nearest neighbours, the right ones green and the wrong ones red.
#
#   crisscross run experiments/figS2.cc          crisscross run --toy experiments/figS2.cc
#
# Queries and neighbours as in Figure S1 (App. B). App. E.3 describes retrieval of videos alone; the sound here is that of linear
# evaluation, and ours.
# Cost: 1 pretraining of 100 epochs of 488 steps of batch 2048 on 8 GPUs (K400), that of Table 4 and trained once (Table S10); how
# long they took is not reported. The root of K400 stands in crisscross.toml.
# Numbers: the figure has none, so nothing is expected.

use paper

eval retrieval_a {
  uses       = a
  clip       = 2s @ 16kHz
  train      = uniform(10)
  test       = uniform(10)
  features   = conv5 - maxpool(1, 3, stride: (1, 2))
  neighbours = knn(distance: cosine)
  score      = [recall(1), recall(5), recall(20)]
}

figure figS2 "Audio-to-audio retrieval" {
  of   = crisscross_k400
  draw = gallery(retrieval_a on K400, queries: 9, top: 5)
  row "CrissCross"
}
