# esc10: full-size networks on real clips, small enough for a CPU. Does pretraining beat random weights, do more loss terms help,
# does the policy matter? Talking faces train, a linear probe of ESC-10 scores, over five folds and three seeds.
#
#   crisscross run experiments/local/esc10.cc
#   crisscross run experiments/local/esc10.cc --only esc10_losses
#
# 300 steps of batch 16 are few: the paper trains 42900 of batch 512. Seeds and folds say how much of a difference is chance.
# Sound is seen for 1 s, so that all five policies fit into clips of 3 s. The policies train half as long, beside a smaller video: a
# sixth of the cost of a step. GRID has folds, and pretraining sees all its clips, without their labels.
# A probe of sound sees one network: `intra` trains it as sound alone does, beside a video network that it never meets, so the two rows
# come to about the same, and `intra + sync` is the first in which video can tell.
# Cost: 30 pretrainings; `local/digits.cc` and `local/fights.cc` use some of them again. Needs the roots of `grid` (GRID, speaker 1:
# 1000 clips of 3 s, CSV with the spoken digit as label and 5 folds) and of `esc10` (ESC-10: 400 sounds of 5 s, 5 folds) in
# crisscross.toml; crisscross.example.toml shows them.
# Numbers: none are published.

use paper

data grid  = videos(train: 1000, classes: 10, requires: [v, a], splits: 5, short: skip)
data esc10 = sounds(train: 400, classes: 10, splits: 5, short: pad)

# The `a` of the prelude, one second long instead of two.
modality s = audio(clip: 1s @ 16kHz, spectrogram: logmel(bands: 80, hop: 10ms, fft: 1024samples, centre: no))
loss s1s2  = 1/2 * pair(s[1], s[2])   # what `a1a2` is for `a`

pretrain base = crisscross with {
  data = grid   modalities = [v, s]
  s.augment = VJ-M-RC   s.f = resnet18 - proj   s.h = pred
  bs        = 16        es  = 4800              ep  = 1
  lr_b      = cosine(0.0002 -> 0, warmup: 0.05ep)   # 15 of 300 steps
  precision = bf16
}

# The same seconds of video in half the frames and a third of the pixels.
modality w = video(clip: 4x64px @ 8fps)

pretrain small = base with {
  modalities = [w, s]   es = 2400
  w.augment = v.augment   w.f = v.f   w.h = v.h
}

# Costs chosen on held-out training clips.
let few = [0.0001, 0.001, 0.01, 0.1, 1]

# Three clips of each sound instead of ten.
eval sounds10 = linear2s with {
  uses = s
  train = random(3)   test = uniform(3)
  head = svm(cost: best(few, split: val(20%)))
}

table esc10_losses "Random weights, sound alone, more and more terms: linear probe of ESC-10" {
  of     = base
  scores = [sounds10 on esc10]
  for seed in range(0, 2) {
    row "no pretraining" ep = 0
    row loss = s1s2
    row loss = intra
    row loss = intra + sync
    row loss = intra + sync + async
  }
}

figure esc10_policies "Temporal relaxation: linear probe of ESC-10" {
  of     = small
  scores = [sounds10 on esc10]
  x      = relax
  for seed in range(0, 2) {
    for relax in [none, mild, medium, extreme, mixed] {
      allow W0503 "`none` is the baseline of the figure"
      row
    }
  }
}
