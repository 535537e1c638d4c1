# trimodal: does a third modality help, text or optical flow? The paper names both as future work (App. H).
#
#   crisscross check experiments/trimodal.cc
#   crisscross explain experiments/trimodal.cc:avo.relax
#   crisscross plan experiments/trimodal.cc
#
# Nothing of paper.cc changes: intra, sync and async range over `modalities`, so three of them give 3 + 6 + 6 pairs, and each pair
# weighs 1/9, 1/18 and 1/18. This version checks and plans the file; it trains the first two rows and says of the others that it
# reads neither captions nor optical flow yet.
# Cost: 6 pretrainings of 100 epochs of 488 steps of batch 2048 (K400); the first two are those of Table 2 and are trained once;
# not measured.
# Numbers: the first two rows are Table 2 of the paper; nobody has published the others, so nothing is expected.

use paper

# Words with their times beside each file. Kinetics-400 comes without them; speech recognition makes them of its sound.
modality t         = text(clip: 2s, tokens: 16tokens, from: captions)
data K400_captions = videos(train: 240K, classes: 400, requires: [v, a, t], short: skip)

pretrain avt = crisscross_k400 with {
  data       = K400_captions
  modalities = [v, a, t]
  t.augment  = drop_words(p: 0.1)
  t.f        = bag_of_words(vocab: 30K, width: 512) - proj
  t.h        = pred
}

# Optical flow instead of text: derived from v, so the same frames and the same crop.
modality o = flow(of: v, method: tvl1)

pretrain avo = crisscross_k400 with {
  modalities = [v, a, o]
  o.augment  = follow(v)
  o.f        = r2plus1d18 - proj
  o.h        = pred
}

table trimodal "Does a third modality help?" {
  scores = [linear8 on UCF101, linear2s on ESC50]
  for of in [crisscross_k400, avt, avo] {
    for loss in [intra + sync, intra + sync + async] { row }
  }
}
