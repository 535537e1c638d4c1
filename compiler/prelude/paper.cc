# paper.cc: what the paper says and, where it is silent, what the released code did. Print it with `crisscross show paper`.
# `released` has the same names with the code's word everywhere; `crisscross diff paper released` prints how the two differ.
# Behind `##` stands who says it: `code` is the released code alone, `not reported` is neither. A note is a reading that is no value.

# ---- modalities (Sec. 4.1) -------------------------------------------------------------
## source: Sec. 4.1
## note frame at a time: the frame that is shown then, by presentation time [ours]
## note rounding to 8 bits: in resizing and in colour jitter, nowhere else [ours]
## note random numbers: one stream for each seed, sample, epoch, view and augmentation [ours]
## note sizes of test frames: shorter side to size / 0.875, bilinear, then the centre [code]
## note normalisation: to 0..1, then less (0.485, 0.456, 0.406), over (0.229, 0.224, 0.225) [code]
modality v = video(clip: 8x112px @ 16fps)

## source: Sec. 4.1 (80 x 200)
## note columns: 200 for 2 s, each centred on its own hop [Sec. 4.1 | Table S6]
## note padding of the transform: mirrored, as librosa 0.8 [code]
## note normalisation: (x + 5.3688) / 4.41, whatever the data set [code]
## note decoding: one channel, resampled in float on the grid of the file's clock; holes are zeros [ours]
## note logarithm: ln(mel + 1.19e-7) of the power spectrum; Slaney filters from 0 to 8 kHz, periodic Hann window [code]
modality a = audio(clip: 2s @ 16kHz, spectrogram: logmel(bands: 80, hop: 10ms, fft: 1024samples, centre: no))

# ---- data sets (App. C); where they live is in crisscross.toml -----------------------------
## note which files: all that hold every window of the policy [ours]
## note exact fits: allowed, such as a file of 3.000 s under `mild` [ours]
## note files that cannot be decoded: counted, named and drawn anew; above 5 % the run stops [ours]
## note settings and loaders: of all three sets [Table S10]
## note late fusion: clips of 2 s, 2048 values each by (1,2,2) and (1,4); 2 s of sound give 1536, 8 frames 2048, 2 s of video 8192 [App. E.1]
data KS     = videos(train: 22K,  classes: 32,  requires: [v, a], short: skip, part_of: K400)   ## source: App. C | not reported (short)
data K400   = videos(train: 240K, classes: 400, requires: [v, a], short: skip)                  ## source: App. C | not reported (short)
data AS     = videos(train: 1.8M, classes: 632, requires: [v, a], short: skip)                  ## source: App. C | not reported (short)
## note short videos: repeated from their start [code]
## note retrieval: split 1, 10 clips of 2 s, of k = 1, 5, 20 neighbours [App. E.3 | Sec. 4.7]
## source: App. C (classes) | code (short, splits)
data UCF101 = videos(train: 9.5K, classes: 101, requires: [v], splits: 3, short: loop)
data HMDB51 = videos(train: 3.5K, classes: 51,  requires: [v], splits: 3, short: loop)          ## source: App. C (classes) | code (short, splits)
data ESC50  = sounds(train: 1.6K, classes: 50, splits: 5, short: pad)                           ## source: App. C (classes) | code (short, splits)
## note which set: DCASE 2014 by name; 100 recordings in 10 classes are the scenes of 2013 [App. C]
data DCASE  = sounds(train: 100,  classes: 10, short: pad)                                      ## source: App. C | code (short)

# ---- augmentations (Tables S1, S2, App. D) ------------------------------------------------
## note program: "TorchVision", but for Cutout; each view with draws of its own, one for all its frames [App. D.1 | Sec. 4.5]
## note law: ten tries for area and aspect 3/4 to 4/3, then the centre; antialiased bilinear filter [code]
## note weaker form: none [Table S1]
augment MSC = multi_scale_crop(min_area: 0.08)                                          ## source: Table S1
augment HF  = horizontal_flip(p: 0.5)                                                   ## source: Table S1
## note probability: 1 [code]
## note order: the four operations in random order, one for a clip [code]
## note pivot of contrast: the mean grey of each frame [code]
augment CJ  = color_jitter(brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.2)   ## source: Table S1
augment GS  = gray_scale(p: 0.2, levels: exact)                                         ## source: Table S1 (p) | ours (levels)
## note direction: the same blur both ways, sigma drawn as SimCLR does [App. D.1]
## note kernel: size / 20, cut off, x 2 + 1 pixels, 11 at 112 px; the border is mirrored [code]
augment GB  = gaussian_blur(p: 0.5, sigma: (0.1, 2.0), pair: range, levels: exact)      ## source: Table S1 (p) | App. D.1 (sigma, pair) | ours (levels)
## note side: twice floor(L / 2), L from 1 to 20, cut off at the borders; L = 1 cuts nothing [code]
## note probability: 1, one square of one place for all frames, its centre anywhere in the frame [code]
## note several squares: as many as `count` [ours]
augment C   = cutout(max: 20px, count: 1, fill: first_frame_mean)                       ## source: Table S1 | App. D.1 (fill)
## note law: the wave times 0.8 to 1.2, not cut off [code]
augment VJ  = volume_jitter(range: 0.2)                                                 ## source: Table S2
## note start: the widest mask bounds the starts of all [code]
## note fill: the mean of the spectrogram at that moment, not zero [code]
augment TM  = time_mask(max: 20bins, count: 2, widths: inclusive)                       ## source: Table S2
augment FM  = freq_mask(max: 10bins, count: 2, widths: inclusive)                       ## source: Table S2
## note captions of Tables S3 and S4: exchanged; S3 is visual, S4 is aural [ours]
augment M   = FM-TM                                                                     ## source: Table S4 | code (order)
## note axes: the range holds for frequency and for time; the canvas is 1.0 x frequency, 1.5 x time [code]
## note filter: bicubic with aligned corners, out of a canvas of zeros [code]
## note sizes: drawn always, at most the canvas, so that 5/9 of the crops keep the full height [code]
augment RC  = random_crop(range: (0.6, 1.5), canvas: (1.0, 1.5))                        ## source: Table S2
## note law: one column moves by -19 to 20, bicubic on both sides; nothing below 41 columns [code]
augment TW  = time_warp(window: 20bins)                                                 ## source: Table S2

# ---- networks (Tables S5 to S8) -----------------------------------------------------------
## note shortcut: one BatchNorm on the sum, none behind the last convolution [code]
layers r2plus1d18 = r2plus1d(depth: 18, width: 64)                      ## source: Table S5
## note strides: 2 in the first block of stages 3 to 5; the table prints 2 for every block [code]
layers resnet18   = resnet(depth: 18, width: 64, channels: 1)           ## source: Table S6
layers proj       = fc(2048)-bn-relu - fc(2048)-bn-relu - fc(2048)-bn   ## source: Table S7
layers proj2      = fc(2048)-bn-relu - fc(2048)-bn                      ## source: Table 3 | not reported (which layer goes)
layers pred       = fc(512)-bn-relu - fc(2048)                          ## source: Table S8

# ---- views in time (Sec. 4.3) ---------------------------------------------------------------
## note alignment of windows: "from the same timestamps"; the short window lies anywhere in the long one [Sec. 3.1 | code]
## note a loss without sound: the windows stay those of both modalities [ours]
relaxation none    = windows(within: same,                   across: inside)   ## source: Sec. 4.3 (within) | code (across)
## note 50 % of what: of the clip of each modality [code]
relaxation mild    = windows(within: overlap(50%, of: each), across: inside)   ## source: Sec. 4.3 (share) | code (of, across)
relaxation medium  = windows(within: overlap(0%, of: each),  across: inside)   ## source: Sec. 4.3 (share) | code (of, across)
## note further modes: none [Sec. 4.3]
## note short sources: left out where two halves do not hold two windows [ours]
relaxation extreme = windows(within: halves,                 across: start)    ## source: Sec. 4.3 (within) | code (across)
relaxation mixed   = windows(within: independent,            across: inside)   ## source: Sec. 4.3 (within) | code (across)

# ---- losses (Eqs. 1 to 5). f and h are the networks that the pretrain block names ----------
let z(x) = f(x)      ## source: Sec. 3.2
let p(x) = h(z(x))   ## source: Sec. 3.2

loss D(p, z)    = -cos(p, z)                                                        ## source: Eq. 1
loss pair(x, y) = 1/2 * D(p(x), sg(z(y))) + 1/2 * D(p(y), sg(z(x)))                 ## source: Sec. 3.2
## note outer 1/2: Eq. 2 has it, Algorithm 1 omits it; Eq. 2 here [Eq. 2]
loss intra      = mean(pair(m[i], m[j]) for m in modalities, i < j in views)        ## source: Eq. 2
## note stray term: Algorithm 1 adds Lv2a2 once more; Eq. 3 here [Eq. 3]
loss sync       = mean(pair(m[i], n[i]) for m < n in modalities, i in views)        ## source: Eq. 3
loss async      = mean(pair(m[i], n[j]) for m < n in modalities, i != j in views)   ## source: Eq. 4
loss v1v2       = 1/2 * pair(v[1], v[2])                                            ## source: Sec. 3.1 | Eq. 2
loss a1a2       = 1/2 * pair(a[1], a[2])                                            ## source: Sec. 3.1 | Eq. 2

assert intra == v1v2 + a1a2,                                       "Sec. 3.1 and Eq. 2"   ## source: Sec. 3.1 | Eq. 2
assert unit(intra + sync + async) == 1/3 * (intra + sync + async), "Eq. 5"                ## source: Eq. 5

# ---- pretraining (Table S10, row KS) --------------------------------------------------------
## source: Table S10
pretrain crisscross {
  data       = KS                     ## source: Table S10
  modalities = [v, a]                 ## source: Sec. 3.1
  views      = 2                      ## source: Sec. 3.1
  loss       = intra + sync + async   ## source: Eq. 5
  ## note fewer than three terms: Eq. 5 has 1/3; here absolute weights sum to 1, so four pairs weigh 1/4 each [Eq. 5 | ours]
  weights    = unit                   ## source: Eq. 5 | ours (fewer than three terms)
  relax      = mild                   ## source: Sec. 4.3

  v.augment = consistent(MSC-HF-CJ-GS-GB-C)   ## source: Table 5
  ## note order: volume, frequency masks, time masks, crop [code]
  a.augment = VJ-M-RC                         ## source: Table 5
  v.f       = r2plus1d18 - proj               ## source: Tables S5, S7
  v.h       = pred                            ## source: Table S8
  a.f       = resnet18 - proj                 ## source: Tables S6, S7
  a.h       = pred                            ## source: Table S8
  ## note several devices: statistics over all of them [code]
  bn        = per_view                        ## source: code

  bs        = 512                                     ## source: Table S10
  ## note epoch: 220 K, 1 M and 3.5 M samples [Table S10]
  es        = 220K                                    ## source: Table S10
  ep        = 100                                     ## source: Table S10
  ## note which parameters decay: all of them, in the gradient [code]
  optim     = adam(betas: (0.9, 0.999), wd: 0.0001)   ## source: Table S10
  ## note warm-up: none said; the first two epochs here [code]
  lr_b      = cosine(0.0002 -> 0, warmup: 2ep)        ## source: Table S10 | code (warm-up)
  ## note rate of the first steps: step k has entry k of the schedule [ours]
  lr_p      = 0.002                                   ## source: Table S10
  ## note first step: taken [ours]
  precision = amp                                     ## source: App. G.1
  seed      = 0                                       ## source: not reported
}

## source: Table S10
pretrain crisscross_k400 = crisscross with {
  data = K400   bs = 2048   es = 1M                                   ## source: Table S10
  ## note LARC: with batches of 2048 [App. G.1]
  optim = larc(adam(betas: (0.9, 0.999), wd: 0.0001), trust: 0.001)   ## source: Table S10 | App. G.1 | code (trust, clip mode)
  lr_b  = cosine(0.0002 -> 0.0001, warmup: 2ep)                       ## source: Table S10 | code (warm-up)
}

## source: Table S10
pretrain crisscross_as = crisscross_k400 with {
  data = AS   es = 3.5M                     ## source: Table S10
  lr_b = cosine(0.0001 -> 0, warmup: 2ep)   ## source: Table S10 | code (warm-up)
  lr_p = 0.001                              ## source: Table S10
}

# ---- downstream (App. E) -------------------------------------------------------------------
let costs = [0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.005, 0.01, 1]   ## source: App. E.1

## note state of the code: that of the linear probes of video is not known [ours]
## 8 frames: a linear SVM on frozen features.
## source: App. E.1
eval linear8 {
  uses     = v                                     ## source: App. E.1
  clip     = 8x224px @ 16fps                       ## source: App. E.1
  train    = random(25)                            ## source: App. E.1
  test     = uniform(10)                           ## source: App. E.1
  augment  = consistent(MSC-HF-CJ-GS-C)            ## source: App. E.1 (no GB) | Table S3
  features = conv5 - maxpool(1, 4, 4, stride: 1)   ## source: App. E.1 | not reported (stride)
  ## note solver: one-vs-all, not named [App. E.1]
  head     = svm(cost: best(costs, split: test))   ## source: App. E.1 | code (split)
  score    = top1(mean(clips))                     ## source: App. E.1
}
## 32 frames: the features are too many to hold, so a linear layer is trained.
## source: App. E.1
eval linear32 = linear8 with {
  clip = 32x224px @ 16fps   train = random(10)   ## source: App. E.1
  head = linear(ep: 20, lr: 0.01)                ## source: App. E.1 | not reported (ep, lr)
}
## note state of the code: what made the numbers is not known [ours]
## source: App. E.1
eval linear2s {
  uses     = a                                                 ## source: App. E.1
  clip     = 2s @ 16kHz                                        ## source: App. E.1
  ## note clips of training: 10 epochs worth of features [App. E.1]
  ## note start of a clip: uniform between the first and the last possible [code]
  train    = random(10)                                        ## source: App. E.1
  ## note clips of test: 10 equally spaced segments of the whole sound [App. E.1]
  ## note windows of test: each with a spectrogram of its own [ours]
  test     = uniform(10)                                       ## source: App. E.1
  ## note order: Table 5 prints VJ-M-TW; the warp comes before the masks [code]
  augment  = VJ-TW-M-RC                                        ## source: App. E.1 | code (order)
  ## note l2: along the last axis of the map, not of the whole vector [code]
  ## note BatchNorm: never trained, so a division by sqrt(1 + 1e-5) [code]
  features = conv5 - maxpool(1, 3, stride: (1, 2)) - l2 - bn   ## source: App. E.1 | code (l2, bn)
  ## note scores: predictions of the clips averaged [App. E.1]
  ## note cost: the best of the list [App. E.1]
  head     = svm(cost: best(costs, split: test))               ## source: App. E.1 | code (split)
  score    = top1(mean(clips))                                 ## source: App. E.1
}
## source: App. E.1
## note clips of test: one segment of 5 s [App. E.1]
eval linear5s = linear2s with { clip = 5s @ 16kHz   test = uniform(1) }
## source: App. E.1
eval linear1s = linear2s with {
  ## note length: 1 s [Sec. 4.7]
  clip     = 1s @ 16kHz                     ## source: Sec. 4.7
  train = random(60)   test = uniform(60)   ## source: App. E.1
  ## note l2: along the last axis of the map, as for ESC50 [code]
  ## source: App. E.1 | code (l2, bn)
  features = conv5 - maxpool(1, 3, stride: (1, 2)) - l2 - bn
  ## note epoch that counts: not said [not reported]
  ## note new layer: how it begins is not said [not reported]
  ## note batches: not said [not reported]
  ## note scores: predictions of the clips averaged [App. E.1]
  head     = linear(ep: 20, lr: 0.01)       ## source: App. E.1 | not reported (ep, lr)
}

# Full finetuning, of 8 and of 32 frames: for UCF101, and with `_h` for HMDB51. With `_as` after AudioSet, for which the released code
# has settings of its own and Table S11 has none.
## source: App. E.2 | Table S11
eval finetune8 {
  uses    = v                                                      ## source: App. E.2
  clip    = 8x224px @ 16fps                                        ## source: App. E.2 | code (rate)
  ## note files that cannot be decoded: counted, named and drawn anew [ours]
  train   = random(10)                                             ## source: Table S11 (es) | App. C (files)
  ## note clips of test: 10 equally spaced [App. E.2]
  test    = uniform(10)                                            ## source: App. E.2
  ## note blur: not said; none here, as in linear evaluation [not reported]
  augment = consistent(MSC-HF-CJ-GS-C)                             ## source: App. E.2 ("strong") | code (which)
  ## note arithmetic: not said [not reported]
  tune    = all                                                    ## source: App. E.2
  ## note pooling: the mean is replaced by the maximum [App. E.2]
  pool    = adaptive_max                                           ## source: App. E.2
  ## note new layer: how it begins is not said [not reported]
  head    = fc(classes)                                            ## source: App. E.2
  bs = 64   ep = 20                                                ## source: Table S11
  ## note visits: 95 K samples of UCF101, 35 K of HMDB51 [Table S11]
  es      = 95K                                                    ## source: Table S11
  optim   = sgd(mtm: 0.9, wd: 0.0)                                 ## source: Table S11
  ## note warm-up: none [Table S11]
  lr      = multistep(0.0005, ms: [6ep, 10ep, 14ep], gamma: 0.3)   ## source: Table S11
  drp     = 0.0                                                    ## source: Table S11
  ## note epoch that counts: not said [not reported]
  keep    = best(split: test)                                      ## source: code
  ## note scores: predictions of the clips averaged [App. E.2]
  score   = top1(mean(clips))                                      ## source: App. E.2
}
## source: App. E.2 | Table S11
eval finetune32 = finetune8 with {
  clip = 32x224px @ 16fps   bs = 32                            ## source: App. E.2 | Table S11 (bs)
  lr = multistep(0.00007, ms: [8ep, 12ep, 16ep], gamma: 0.3)   ## source: Table S11
}
## source: Table S11
eval finetune8_h = finetune8 with {
  es = 35K                                                    ## source: Table S11
  lr = multistep(0.0005, ms: [6ep, 10ep, 14ep], gamma: 0.1)   ## source: Table S11
}
## source: Table S11
eval finetune32_h = finetune32 with {
  es = 35K                                                    ## source: Table S11
  lr = multistep(0.0001, ms: [8ep, 12ep, 16ep], gamma: 0.3)   ## source: Table S11
}
## source: Table S11 (of K400) | not reported (of AS)
eval finetune8_as = finetune8 with {
  lr  = multistep(0.0005, ms: [6ep, 10ep, 14ep], gamma: 0.3)   ## source: Table S11 (of K400)
  drp = 0.0                                                    ## source: Table S11 (of K400)
}
## source: Table S11 (of K400) | not reported (of AS)
eval finetune32_as = finetune32
## source: Table S11 (of K400) | not reported (of AS)
eval finetune8_h_as = finetune8_h with {
  lr  = multistep(0.0005, ms: [6ep, 10ep, 14ep], gamma: 0.1)   ## source: Table S11 (of K400)
  drp = 0.0                                                    ## source: Table S11 (of K400)
}
## source: Table S11 (of K400) | not reported (of AS)
eval finetune32_h_as = finetune32_h with {
  lr  = multistep(0.0001, ms: [8ep, 12ep, 16ep], gamma: 0.3)   ## source: Table S11 (of K400)
  drp = 0.0                                                    ## source: Table S11 (of K400)
}
