use paper
pretrain one = crisscross with {
  lr_b = 1 e-3
  ep   = 5 epochs
  es   = 220,000
  loss = (intra sync)
}
table two {
  for seed in [1, 2]: row loss = intra
  for seed in seeds: row loss = intra
  row loss = intra    expect 69.7, -
  row loss = intra    expect -3, 69.7
  row loss = intra    expect 69.7 _
  row loss = intra    expect 69.7 / 71.8
}
