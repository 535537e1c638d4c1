use paper
eval mine = linear2s with { head = svm(cost: best(costs, split: test)) }
table one {
  of     = crisscross
  scores = [mine on ESC50, linear8 on UCF101, linear8 on HMDB51]
  row
}
