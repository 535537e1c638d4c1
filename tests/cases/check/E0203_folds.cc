use paper
data one = videos(train: 1K, classes: 10, requires: [v, a], short: skip)
data two = videos(train: 1K, classes: 10, requires: [v, a], splits: 2, short: skip)
eval by_folds = linear8 with { head = svm(cost: best(costs, split: folds)) }
table t {
  of     = crisscross
  scores = [by_folds on one, by_folds on two, by_folds on UCF101]
  row
}
