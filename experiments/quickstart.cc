# quickstart: the whole pipeline on synthetic clips.
#
#   cargo xtask run experiments/quickstart.cc
#
# The first row is random weights, the control that every table should carry. The other three differ in the loss alone and see the
# same clips, windows and crops, so their differences are paired. 32 steps show that the whole path works; they do not rank
# losses.
# Cost: 4 pretrainings, under 5 minutes together on two CPU cores.
# Numbers: none are published; chance is 12.5 %.

use paper

# 256 clips in which a coloured shape moves and a tone follows it: class = (shape, tone).
data toy = synthetic(clips: 256, classes: 8, length: 4s, lag: 0.3s, seed: 1)

pretrain small = crisscross with {
  data = toy   bs = 32   es = 256   ep = 4
  v.f = r2plus1d(depth: 10, width: 16) - fc(256)-bn              v.h = fc(64)-bn-relu - fc(256)
  a.f = resnet(depth: 10, width: 16, channels: 1) - fc(256)-bn   a.h = fc(64)-bn-relu - fc(256)
}

eval see  = linear8  with { clip = 8x112px @ 16fps   train = random(2)   test = uniform(2) }
eval hear = linear2s with { train = random(2)   test = uniform(2) }

table quickstart "Does the asynchronous term help on toy data?" {
  of     = small
  scores = [see on toy, hear on toy]
  row "no pretraining" ep = 0
  row loss = intra
  row loss = intra + sync
  row loss = intra + sync + async
}
