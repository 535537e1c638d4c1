use paper
data half = videos(train: 120K, classes: 400, requires: [v, a], short: skip, part_of: K400)
table one {
  of     = crisscross_k400
  scores = [linear8 on half]
  row
}
table two {
  of     = crisscross
  scores = [linear8 on K400]
  row
  row loss = intra
}
