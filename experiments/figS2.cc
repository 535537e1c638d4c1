# Figure S2: audio-to-audio retrieval, queries and their five nearest neighbours, the right ones green and the wrong ones red.
#
#   crisscross plan experiments/figS2.cc
#
# Pretraining as in the K400 row of Table 4, queries and neighbours as in Figure S1 (App. B). App. E.3 describes retrieval of
# videos alone; the sound here is that of linear evaluation, and ours. The figure has no numbers. The root of K400 stands in
# crisscross.toml. Drawings are planned and not executed yet.

use paper

eval retrieval_a {
  uses       = a
  clip       = 2s @ 16kHz
  train      = uniform(10)
  test       = uniform(10)
  features   = conv5 - maxpool(1, 3, stride: (1, 2)) - mean(clips)
  neighbours = knn(distance: cosine)
  score      = [recall(1), recall(5), recall(20)]
}

figure figS2 "Audio-to-audio retrieval" {
  of   = crisscross_k400
  draw = gallery(retrieval_a on K400, queries: 9, top: 5)
  row "CrissCross"
}
