use paper
data few  = synthetic(clips: 4, classes: 8, length: 3s, lag: 0s, seed: 1)
data late = synthetic(clips: 8, classes: 8, length: 3s, lag: 3s, seed: 1)
