use paper
data mine = videos(train: 1K, classes: 10, requires: [v, a], short: skip, length: 2.5s)
pretrain short = crisscross with { data = mine }
