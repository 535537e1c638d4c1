# Table S11 and App. E.3: full finetuning and retrieval. Tables 6 and 7 use these protocols; the file has no table of its own.
#
#   crisscross check experiments/downstream.cc
#
# The released code keeps the best epoch on the test split, and `best(split: test)` says so; `last` is the honest choice.

use paper

allow W0606 "Tables S1 and S3 give the squares of a cutout once, for all sizes"
allow W0705 "the best epoch on the test split, as the released code takes it"

eval finetune8 {
  uses    = v
  clip    = 8x224px @ 16fps
  train   = random(10)
  test    = uniform(10)
  augment = consistent(MSC-HF-CJ-GS-C)
  tune    = all
  pool    = adaptive_max
  head    = fc(classes)
  bs = 64   es = 95K   ep = 20
  optim   = sgd(mtm: 0.9, wd: 0.0)
  lr      = multistep(0.0005, ms: [6ep, 10ep, 14ep], gamma: 0.3)
  drp     = 0.0
  keep    = best(split: test)
  score   = top1(mean(clips))
}
eval finetune32 = finetune8 with {
  clip = 32x224px @ 16fps   bs = 32
  lr   = multistep(0.00007, ms: [8ep, 12ep, 16ep], gamma: 0.3)
}
eval finetune8_h  = finetune8  with { es = 35K   lr = multistep(0.0005, ms: [6ep, 10ep, 14ep], gamma: 0.1) }
eval finetune32_h = finetune32 with { es = 35K   lr = multistep(0.0001, ms: [8ep, 12ep, 16ep], gamma: 0.3) }

# "2-second clips" are 32 frames; their size is not stated.
eval retrieval {
  uses       = v
  clip       = 32x224px @ 16fps
  train      = uniform(10)
  test       = uniform(10)
  features   = conv5 - maxpool(1, 4, 4, stride: 1) - mean(clips)
  neighbours = knn(distance: cosine)
  score      = [recall(1), recall(5), recall(20)]
}
