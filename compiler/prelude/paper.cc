# paper.cc: everything an experiment inherits. Print it with `crisscross show paper`.
# Every value names its source; (code) marks a value found only in the released code.

# ---- modalities (Sec. 4.1) -------------------------------------------------------------
modality v = video(clip: 8x112px @ 16fps)
modality a = audio(clip: 2s @ 16kHz, spectrogram: logmel(bands: 80, hop: 10ms, fft: 1024samples, centre: no))

# ---- data sets (App. C); where they live is in crisscross.toml -----------------------------
data KS     = videos(train: 22K,  classes: 32,  requires: [v, a], short: skip)
data K400   = videos(train: 240K, classes: 400, requires: [v, a], short: skip)
data AS     = videos(train: 1.8M, classes: 632, requires: [v, a], short: skip)
data UCF101 = videos(train: 9.5K, classes: 101, requires: [v], splits: 3, short: loop)
data HMDB51 = videos(train: 3.5K, classes: 51,  requires: [v], splits: 3, short: loop)
data ESC50  = sounds(train: 1.6K, classes: 50,  splits: 5, short: pad)
data DCASE  = sounds(train: 100,  classes: 10,  short: pad)

# ---- augmentations (Tables S1, S2) --------------------------------------------------------
augment MSC = multi_scale_crop(min_area: 0.08)
augment HF  = horizontal_flip(p: 0.5)
augment CJ  = color_jitter(brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.2)
augment GS  = gray_scale(p: 0.2)
augment GB  = gaussian_blur(p: 0.5, sigma: (0.1, 2.0))
augment C   = cutout(max: 20px, count: 1, fill: first_frame_mean)
augment VJ  = volume_jitter(range: 0.2)
augment TM  = time_mask(max: 20bins, count: 2)
augment FM  = freq_mask(max: 10bins, count: 2)
augment M   = FM - TM
augment RC  = random_crop(range: (0.6, 1.5), canvas: (1.0, 1.5))
augment TW  = time_warp(window: 20bins)

# ---- networks (Tables S5 to S8) -----------------------------------------------------------
layers r2plus1d18 = r2plus1d(depth: 18, width: 64)             # width: channels of the first stage
layers resnet18   = resnet(depth: 18, width: 64, channels: 1)
layers proj       = fc(2048)-bn-relu - fc(2048)-bn-relu - fc(2048)-bn
layers proj2      = fc(2048)-bn-relu - fc(2048)-bn
layers pred       = fc(512)-bn-relu - fc(2048)

# ---- views in time (Sec. 4.3) ---------------------------------------------------------------
relaxation none    = windows(within: same,                    across: inside)
relaxation mild    = windows(within: overlap(50%, of: each),  across: inside)
relaxation medium  = windows(within: overlap(0%,  of: each),  across: inside)
relaxation extreme = windows(within: halves,                  across: start)
relaxation mixed   = windows(within: independent,             across: inside)

# ---- losses (Eqs. 1 to 5). f and h are the networks that the pretrain block names ----------
let z(x) = f(x)
let p(x) = h(z(x))

loss D(p, z)    = -cos(p, z)
loss pair(x, y) = 1/2 * D(p(x), sg(z(y))) + 1/2 * D(p(y), sg(z(x)))
loss intra      = mean(pair(m[i], m[j]) for m in modalities, i < j in views)
loss sync       = mean(pair(m[i], n[i]) for m < n in modalities, i in views)
loss async      = mean(pair(m[i], n[j]) for m < n in modalities, i != j in views)
loss v1v2       = 1/2 * pair(v[1], v[2])
loss a1a2       = 1/2 * pair(a[1], a[2])

assert intra == v1v2 + a1a2,                                     "Sec. 3.1 and Eq. 2"
assert unit(intra + sync + async) == 1/3 * (intra + sync + async), "Eq. 5"

# ---- pretraining (Table S10, row KS) --------------------------------------------------------
pretrain crisscross {
  data       = KS
  modalities = [v, a]
  views      = 2
  loss       = intra + sync + async
  weights    = unit
  relax      = mild

  v.augment = consistent(MSC-HF-CJ-GS-GB-C)
  a.augment = VJ-M-RC
  v.f = r2plus1d18 - proj        v.h = pred
  a.f = resnet18 - proj          a.h = pred
  bn  = per_view

  bs = 512   es = 220K   ep = 100
  optim  = adam(betas: (0.9, 0.999), wd: 0.0001)
  lr_b   = cosine(0.0002 -> 0, warmup: 2ep)       # warmup: (code)
  lr_p   = 0.002
  precision = amp
  seed = 0
}

pretrain crisscross_k400 = crisscross with {
  data = K400   bs = 2048   es = 1M
  optim = larc(adam(betas: (0.9, 0.999), wd: 0.0001), trust: 0.001)
  lr_b  = cosine(0.0002 -> 0.0001, warmup: 2ep)
}

pretrain crisscross_as = crisscross_k400 with {
  data = AS   es = 3.5M
  lr_b = cosine(0.0001 -> 0, warmup: 2ep)
  lr_p = 0.001
}

# ---- downstream (App. E) -------------------------------------------------------------------
let costs = [0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.005, 0.01, 1]

eval linear8 {
  uses     = v
  clip     = 8x224px @ 16fps
  train    = random(25)
  test     = uniform(10)
  augment  = consistent(MSC-HF-CJ-GS-C)
  features = conv5 - maxpool(1, 4, 4, stride: 1)      # stride: not stated
  head     = svm(cost: best(costs, split: test))
  score    = top1(mean(clips))
}
eval linear32 = linear8 with {
  clip = 32x224px @ 16fps   train = random(10)
  head = linear(ep: 20, lr: 0.01)           # ep, lr: not reported
}
eval linear2s {
  uses     = a
  clip     = 2s @ 16kHz
  train    = random(10)
  test     = uniform(10)
  augment  = VJ-TW-M-RC                              # warp before mask: (code)
  features = conv5 - maxpool(1, 3, stride: (1, 2)) - l2 - bn
  head     = svm(cost: best(costs, split: test))
  score    = top1(mean(clips))
}
eval linear5s = linear2s with { clip = 5s @ 16kHz   test = uniform(1) }
eval linear1s = linear2s with { clip = 1s @ 16kHz   train = random(60)   test = uniform(60)   head = linear(ep: 20, lr: 0.01) }
