use paper
data talk = videos(train: 9K, classes: 10, requires: [v, a, caption], short: skip)
