use paper
data few = videos(train: 300, classes: 5, requires: [v, a], short: skip)
pretrain small = crisscross with { data = few   es = 1280   bs = 64 }
pretrain large = crisscross_k400
