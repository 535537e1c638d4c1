use paper
data mine = videos(train: 1K, requires: [v, a], short: skip)
pretrain own = crisscross with { data = mine }
table seen {
  of     = own
  scores = [linear8 on mine]
  row
}
