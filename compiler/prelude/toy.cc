# toy.cc: what `--toy` leaves of an experiment, so that every file runs to its end on a laptop.
# Print it with `crisscross show toy`. Results made with it are marked: they show that a file works, not what it finds.
#
# A profile states upper bounds, in the language. A declaration here bounds all declarations of its kind, wherever they stand
# and whatever they are called: a number becomes the smaller of the two, and what a bound does not name stays as it is. So
# rows that differ still differ, and `ep = 0` stays random weights; a checkpoint keeps its share of the run. Every value here is ours.

# ---- clips: of views and of evaluations, by what they are made of --------------------------
modality v = video(clip: 4x112px @ 16fps)   # 4 x 4 after conv5, which the prelude pools by 4
modality a = audio(clip: 1s @ 16kHz, spectrogram: logmel(bands: 80, hop: 10ms, fft: 1024samples, centre: no))
modality t = text(clip: 1s, tokens: 8tokens, from: captions)

# ---- data: under each name stands this set, with the streams and splits of the set it replaces --
data any_set = synthetic(clips: 60, classes: 4, length: 3s, lag: 0.3s, seed: 1)

# ---- networks: a layer is no deeper and no wider than its like here -----------------------------
layers any_layer = r2plus1d(depth: 10, width: 4)
                 - resnet(depth: 10, width: 4, channels: 1)
                 - bag_of_words(vocab: 64, width: 32)
                 - fc(32)

# ---- training and evaluation --------------------------------------------------------------------
pretrain any_run { bs = 8   es = 16   ep = 3 }
eval any_probe   { train = random(1)   test = uniform(2) }
