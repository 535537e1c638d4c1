use paper
data toys = synthetic(clips: 64, classes: 4, length: 3s, lag: 0.3s, seed: 1)
pretrain small = crisscross with { data = toys   relax = medium }
