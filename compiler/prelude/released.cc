# released.cc: what the released code does, everywhere. Print it with `crisscross show released`.
# It has the names of `paper`, so `use released` instead of `use paper` is the whole switch; `crisscross diff paper released` prints how
# the two differ. Where the code was not released (Kinetics-Sound, AudioSet, the linear probes of video) the paper's value stands.

# ---- modalities (Sec. 4.1) -------------------------------------------------------------
## source: code
## note frame at a time: number int((t - start) x average rate); a rate that varies shifts it [code]
## note rounding to 8 bits: after each operation, blur truncates; `levels: whole` says it [code]
## note random numbers: three generators side by side; NumPy's starts in the same state in all workers, so cutout centres and sizes of sound crops repeat [code]
## note sizes of test frames: shorter side to size / 0.875, bilinear (it asks for nearest; a helper swaps the two), then the centre [code]
## note normalisation: to 0..1, then less (0.485, 0.456, 0.406), over (0.229, 0.224, 0.225) [code]
modality v = video(clip: 8x112px @ 16fps)

## source: code
## note columns: 201 for 2 s, of a centred transform; its comments say 201 too [code]
## note padding of the transform: mirrored, as librosa 0.8 [code]
## note normalisation: (x + 5.3688) / 4.41, whatever the data set [code]
## note decoding: one channel, resampled frame by frame to 16 bits without flushing, cut or filled with zeros, over 32767 [code]
## note logarithm: ln(mel + 1.19e-7) of the power spectrum; Slaney filters from 0 to 8 kHz, periodic Hann window [code]
modality a = audio(clip: 2s @ 16kHz, spectrogram: logmel(bands: 80, hop: 10ms, fft: 1024samples, centre: yes))

# ---- data sets (App. C); where they live is in crisscross.toml -----------------------------
## note which files: those with both streams longer than 1.1 s, which `longer` says; a stream shorter than its window is taken whole, from 0; too few frames are not filled up: the views of `mild` overlap more, and a clip short of frames fits no batch [code]
## note exact fits: an assertion error, such as a file of 3.000 s under `mild` [code]
## note files that cannot be decoded: end the training, which has no fall-back with two clips [code]
## note settings and loaders: of Kinetics400 alone; the names in its README do not exist [code]
## note late fusion: not released [code]
data KS     = videos(train: 22K,  classes: 32,  requires: [v, a], short: pad, longer: 1.1s, part_of: K400)   ## source: App. C (not released) | code (short, longer)
data K400   = videos(train: 240K, classes: 400, requires: [v, a], short: pad, longer: 1.1s)                  ## source: App. C | code (short, longer)
data AS     = videos(train: 1.8M, classes: 632, requires: [v, a], short: pad, longer: 1.1s)                  ## source: App. C (not released) | code (short, longer)
## note short videos: repeated from their start [code]
## note retrieval: not released; a helper that averages features is not used [code]
## source: App. C (classes) | code (short, splits)
data UCF101 = videos(train: 9.5K, classes: 101, requires: [v], splits: 3, short: loop)
data HMDB51 = videos(train: 3.5K, classes: 51,  requires: [v], splits: 3, short: loop)                       ## source: App. C (classes) | code (short, splits)
data ESC50  = sounds(train: 1.6K, classes: 50, splits: 5, short: pad)                                        ## source: App. C (classes) | code (short, splits)
## note which set: set1 of scenes, 100 + 100 recordings of 30 s, split by folder [code]
data DCASE  = sounds(train: 100,  classes: 10, short: pad)                                                   ## source: App. C | code (short)

# ---- augmentations (Tables S1, S2, App. D) ------------------------------------------------
## note program: its own, for a clip at a time, over a copy of TorchVision's functions on Pillow frames [code]
## note law: ten tries for area and aspect 3/4 to 4/3, then the centre; antialiased bilinear filter [code]
## note weaker form: area from 0.7, which no released file uses [code]
augment MSC = multi_scale_crop(min_area: 0.08)                                          ## source: code
augment HF  = horizontal_flip(p: 0.5)                                                   ## source: code
## note probability: 1 [code]
## note order: the four operations in random order, one for a clip [code]
## note pivot of contrast: the mean grey of each frame [code]
augment CJ  = color_jitter(brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.2)   ## source: code
augment GS  = gray_scale(p: 0.2, levels: whole)                                         ## source: code
## note direction: down alone; sigma is 0.1 across and 2.0 down, never drawn [code]
## note kernel: size / 20, cut off, x 2 + 1 pixels, 11 at 112 px; the border is mirrored [code]
augment GB  = gaussian_blur(p: 0.5, sigma: (0.1, 2.0), pair: axes, levels: whole)       ## source: code
## note side: twice floor(L / 2), L from 1 to 20, cut off at the borders; L = 1 cuts nothing [code]
## note probability: 1, one square of one place for all frames, its centre anywhere in the frame [code]
## note several squares: more than one cannot run [code]
augment C   = cutout(max: 20px, count: 1, fill: times_first_frame_mean)                 ## source: code
## note law: the wave times 0.8 to 1.2, not cut off [code]
augment VJ  = volume_jitter(range: 0.2)                                                 ## source: code
## note start: the widest mask bounds the starts of all [code]
## note fill: the mean of the spectrogram at that moment, not zero [code]
augment TM  = time_mask(max: 20bins, count: 2, widths: exclusive)                       ## source: code
augment FM  = freq_mask(max: 10bins, count: 2, widths: exclusive)                       ## source: code
## note captions of Tables S3 and S4: there are no such tables [code]
augment M   = FM-TM                                                                     ## source: code
## note axes: the range holds for frequency and for time; the canvas is 1.0 x frequency, 1.5 x time [code]
## note filter: bicubic with aligned corners, out of a canvas of zeros [code]
## note sizes: drawn always, at most the canvas, so that 5/9 of the crops keep the full height [code]
augment RC  = random_crop(range: (0.6, 1.5), canvas: (1.0, 1.5))                        ## source: code
## note law: one column moves by -19 to 20, bicubic on both sides; nothing below 41 columns [code]
augment TW  = time_warp(window: 20bins)                                                 ## source: code

# ---- networks (Tables S5 to S8) -----------------------------------------------------------
## note shortcut: one BatchNorm on the sum, none behind the last convolution [code]
layers r2plus1d18 = r2plus1d(depth: 18, width: 64)                      ## source: code
## note strides: 2 in the first block of stages 3 to 5; the table prints 2 for every block [code]
layers resnet18   = resnet(depth: 18, width: 64, channels: 1)           ## source: code
layers proj       = fc(2048)-bn-relu - fc(2048)-bn-relu - fc(2048)-bn   ## source: code
layers proj2      = fc(2048)-bn-relu - fc(2048)-bn                      ## source: code
layers pred       = fc(512)-bn-relu - fc(2048)                          ## source: code

# ---- views in time (Sec. 4.3) ---------------------------------------------------------------
## note alignment of windows: the enlarged video window lies anywhere in the enlarged window of sound, then both are cut [code]
## note a loss without sound: the start is drawn from the whole file [code]
relaxation none    = windows(within: same,                   across: inside)   ## source: code
## note 50 % of what: of the clip of each modality [code]
relaxation mild    = windows(within: overlap(50%, of: each), across: inside)   ## source: code
relaxation medium  = windows(within: overlap(0%, of: each),  across: inside)   ## source: code
## note further modes: two that hold one modality fast: one clip, already augmented, for both views [code]
## note short sources: a stream without room for two halves begins at 0 and at the last place where it fits [code]
relaxation extreme = windows(within: offset(max),            across: start)    ## source: code
relaxation mixed   = windows(within: independent,            across: inside)   ## source: code

# ---- losses (Eqs. 1 to 5). f and h are the networks that the pretrain block names ----------
let z(x) = f(x)      ## source: code
let p(x) = h(z(x))   ## source: code

loss D(p, z)    = -cos(p, z)                                                        ## source: code
loss pair(x, y) = 1/2 * D(p(x), sg(z(y))) + 1/2 * D(p(y), sg(z(x)))                 ## source: code
## note outer 1/2: as Eq. 2 [code]
loss intra      = mean(pair(m[i], m[j]) for m in modalities, i < j in views)        ## source: code
## note stray term: not there [code]
loss sync       = mean(pair(m[i], n[i]) for m < n in modalities, i in views)        ## source: code
loss async      = mean(pair(m[i], n[j]) for m < n in modalities, i != j in views)   ## source: code
loss v1v2       = 1/2 * pair(v[1], v[2])                                            ## source: code
loss a1a2       = 1/2 * pair(a[1], a[2])                                            ## source: code

assert intra == v1v2 + a1a2,                                       "Sec. 3.1 and Eq. 2"   ## source: code
assert unit(intra + sync + async) == 1/3 * (intra + sync + async), "Eq. 5"                ## source: code

# ---- pretraining (Table S10, row KS) --------------------------------------------------------
## source: Table S10 (not released) | code (of K400)
pretrain crisscross {
  data       = KS                     ## source: Table S10 (not released)
  modalities = [v, a]                 ## source: code
  views      = 2                      ## source: code
  loss       = intra + sync + async   ## source: code
  ## note fewer than three terms: divided by twice the enabled families; a pair with coefficient 0 counts too, so v1v2 alone weighs 1/2 [code]
  weights    = per_family             ## source: code
  relax      = mild                   ## source: code

  v.augment = consistent(MSC-HF-CJ-GS-GB-C)   ## source: code
  ## note order: volume, frequency masks, time masks, crop [code]
  a.augment = VJ-M-RC                         ## source: code
  v.f       = r2plus1d18 - proj               ## source: code
  v.h       = pred                            ## source: code
  a.f       = resnet18 - proj                 ## source: code
  a.h       = pred                            ## source: code
  ## note several devices: statistics over all of them [code]
  bn        = per_view                        ## source: code

  bs        = 512                                                    ## source: Table S10 (not released)
  ## note epoch: each video 5 times, by index; the 1 M of Table S10 would be 200 K videos [code]
  es        = 220K                                                   ## source: Table S10 (not released)
  ep        = 100                                                    ## source: Table S10 (not released)
  ## note which parameters decay: all of them, in the gradient [code]
  optim     = adam(betas: (0.9, 0.999), wd: 0.0001)                  ## source: Table S10 (not released)
  ## note warm-up: two epochs from 0, for the encoders alone [code]
  lr_b      = late(cosine(0.0002 -> 0, warmup: 2ep), first: 0.001)   ## source: Table S10 (not released) | code (late, warm-up)
  ## note rate of the first steps: 0.001 in step 0, then the schedule one step late; its last entry is never used [code]
  lr_p      = late(0.002, first: 0.001)                              ## source: Table S10 (not released) | code (late)
  ## note first step: may have been skipped, as the scaler of gradients overflows [code]
  precision = amp                                                    ## source: code
  seed      = 0                                                      ## source: not reported
}

## source: code
pretrain crisscross_k400 = crisscross with {
  data = K400   bs = 2048   es = 1.2M                                 ## source: code (data, bs, 5 visits) | App. C (240 K files)
  ## note LARC: multiplier at most 1; a tensor of zeros takes its gradient as it is, without decay [code]
  optim = larc(adam(betas: (0.9, 0.999), wd: 0.0001), trust: 0.001)   ## source: code
  lr_b  = late(cosine(0.0002 -> 0.0001, warmup: 2ep), first: 0.001)   ## source: code
}

## source: Table S10 (not released) | code (of K400)
pretrain crisscross_as = crisscross_k400 with {
  data = AS   es = 3.5M                                         ## source: Table S10 (not released)
  lr_b = late(cosine(0.0001 -> 0, warmup: 2ep), first: 0.001)   ## source: Table S10 (not released) | code (late, warm-up)
  lr_p = late(0.001, first: 0.001)                              ## source: Table S10 (not released) | code (late)
}

# ---- downstream (App. E) -------------------------------------------------------------------
let costs = [0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.005, 0.01, 1]   ## source: code

## note state of the code: not released, neither for UCF101 and HMDB51 nor for Kinetics400 [code]
## 8 frames: a linear SVM on frozen features.
## source: App. E.1 (not released)
eval linear8 {
  uses     = v                                     ## source: App. E.1 (not released)
  clip     = 8x224px @ 16fps                       ## source: App. E.1 (not released)
  train    = random(25)                            ## source: App. E.1 (not released)
  test     = uniform(10)                           ## source: App. E.1 (not released)
  augment  = consistent(MSC-HF-CJ-GS-C)            ## source: App. E.1 (not released)
  features = conv5 - maxpool(1, 4, 4, stride: 1)   ## source: App. E.1 (not released) | not reported (stride)
  ## note solver: scikit-learn 0.24's LinearSVC for sound: one-vs-rest, squared hinge, dual, 1000 rounds [code]
  head     = svm(cost: best(costs, split: test))   ## source: App. E.1 (not released) | code (split)
  score    = top1(mean(clips))                     ## source: App. E.1 (not released)
}
## 32 frames: the features are too many to hold, so a linear layer is trained.
## source: App. E.1 (not released)
eval linear32 = linear8 with {
  clip = 32x224px @ 16fps   train = random(10)   ## source: App. E.1 (not released)
  head = linear(ep: 20, lr: 0.01)                ## source: App. E.1 (not released) | not reported (ep, lr)
}
## note state of the code: does not start: an indentation error, an argument and transforms that are not there [code]
## source: code
eval linear2s {
  uses     = a                                                 ## source: code
  clip     = 2s @ 16kHz                                        ## source: code
  ## note clips of training: each file 100 times, which a comment calls 10 epochs [code]
  ## note start of a clip: uniform between the first and the last possible [code]
  train    = random(100)                                       ## source: code
  ## note clips of test: of the first 2 s, so they are the same; of ten the last is 10 ms later, a column more than the clip has [code]
  ## note windows of test: whole columns, cut out of the spectrogram of the whole file [code]
  test     = uniform(10, within: 2s)                           ## source: code
  ## note order: warp, frequency masks, time masks, crop [code]
  augment  = VJ-TW-M-RC                                        ## source: code
  ## note l2: along the last axis of the map, not of the whole vector [code]
  ## note BatchNorm: never trained, so a division by sqrt(1 + 1e-5) [code]
  features = conv5 - maxpool(1, 3, stride: (1, 2)) - l2 - bn   ## source: code
  ## note scores: decision values of the clips averaged; top-5 beside top-1; mean of the folds [code]
  ## note cost: the best of the list in each fold; a comment says that 0.0001 works for all [code]
  head     = svm(cost: best(costs, split: test))               ## source: code
  score    = top1(mean(clips))                                 ## source: code
}
## source: code
## note clips of test: the first 500 of 501 columns [code]
eval linear5s = linear2s with { clip = 5s @ 16kHz   test = uniform(1) }
## source: code
eval linear1s = linear2s with {
  ## note length: 1 s, in a file called `config_2s` [code]
  clip     = 1s @ 16kHz                     ## source: code
  train = random(60)   test = uniform(60)   ## source: code
  ## note l2: of the whole vector, and no BatchNorm behind it [code]
  ## source: code
  features = conv5 - maxpool(1, 3, stride: (1, 2)) - l2(over: vector)
  ## note epoch that counts: the best on the test split, beside the last [code]
  ## note new layer: orthogonal weights, bias 0 at first [code]
  ## note batches: the last incomplete one of an epoch is dropped [code]
  ## note scores: softmax of the clips averaged [code]
  ## source: code
  head     = linear(ep: 200, lr: 0.007, bs: 512, optim: adam(betas: (0.9, 0.999), wd: 0.00001), drp: 0.1, keep: best(split: test))
}

# Full finetuning, of 8 and of 32 frames: for UCF101, and with `_h` for HMDB51; after AudioSet with `_as`. Two things of it are no values of
# the language and stand as notes: how the new layer begins, which runs follow, and float16 without a scaler of gradients, which they do not:
# in float16 they scale the loss.
## source: code
eval finetune8 {
  uses    = v                                                      ## source: code
  clip    = 8x224px @ 16fps                                        ## source: code
  ## note files that cannot be decoded: the next one takes their place [code]
  train   = random(10)                                             ## source: code
  ## note clips of test: 10 windows that begin at whole frames, the last at the last possible; a video no longer than one 10 times [code]
  test    = uniform(10)                                            ## source: code
  ## note blur: probability 0 in all its files [code]
  augment = consistent(MSC-HF-CJ-GS-C)                             ## source: code
  ## note arithmetic: float16 in the forward pass; a scaler of gradients is made and not used [code]
  tune    = all                                                    ## source: code
  ## note pooling: the mean is replaced by the maximum [code]
  pool    = adaptive_max                                           ## source: code
  ## note new layer: orthogonal weights, bias 0 at first [code]
  head    = fc(classes)                                            ## source: code
  bs = 64   ep = 20                                                ## source: code
  ## note visits: each video 10 times, 95,370 clips of split 1 of UCF101, 35,700 of HMDB51 [code]
  es      = 95K                                                    ## source: code
  optim   = sgd(mtm: 0.9, wd: 0.0)                                 ## source: code
  ## note warm-up: two epochs stand in its files and are ignored [code]
  lr      = multistep(0.0005, ms: [6ep, 10ep, 14ep], gamma: 0.3)   ## source: code
  drp     = 0.0                                                    ## source: code
  ## note epoch that counts: the best on the test split, beside the last [code]
  keep    = best(split: test)                                      ## source: code
  ## note scores: softmax of the clips averaged; top-5 beside top-1 [code]
  score   = top1(mean(clips))                                      ## source: code
}
## source: code
eval finetune32 = finetune8 with {
  clip = 32x224px @ 16fps   bs = 32                            ## source: code
  lr = multistep(0.00007, ms: [8ep, 12ep, 16ep], gamma: 0.3)   ## source: code
}
## source: code
eval finetune8_h = finetune8 with {
  es = 35K                                                    ## source: code
  lr = multistep(0.0005, ms: [6ep, 10ep, 14ep], gamma: 0.1)   ## source: code
}
## source: code
eval finetune32_h = finetune32 with {
  es = 35K                                                    ## source: code
  lr = multistep(0.0001, ms: [8ep, 12ep, 16ep], gamma: 0.3)   ## source: code
}
## source: code
eval finetune8_as = finetune8 with {
  lr  = multistep(0.00007, ms: [8ep, 12ep, 16ep], gamma: 0.1)   ## source: code
  drp = 0.1                                                     ## source: code
}
## source: code
eval finetune32_as = finetune32
## source: code
eval finetune8_h_as = finetune8_h with {
  lr  = multistep(0.0001, ms: [8ep, 12ep, 16ep], gamma: 0.1)   ## source: code
  drp = 0.5                                                    ## source: code
}
## source: code
eval finetune32_h_as = finetune32_h with {
  lr  = multistep(0.0001, ms: [6ep, 10ep, 14ep], gamma: 0.1)   ## source: code
  drp = 0.5                                                    ## source: code
}
