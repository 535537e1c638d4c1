# What is close to right.
use paper
data d = videos(train: 5000, classes: 10)
pretrain one   = crisscross with { relax = overlap(0.5)   lr_b = cosine(0.0002 -> 0, warmup: 10%) }
pretrain two   = crisscross with { v.h = fc(512)-bn-relu }
pretrain three = crisscross with { v.augment = consistent(MSC-VJ)   precision = half   optim = adamw(wd: 0) }
pretrain crisscross = crisscross with { bs = 64 }
eval linear = linear8 with { head = svm(C: 1) }
table four {
  of     = two
  scores = linear on UCF101
  row
}
