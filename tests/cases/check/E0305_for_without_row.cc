use paper

table t {
  of     = crisscross
  scores = [linear8 on UCF101]
  row
  for seed in range(1, 5000) { for bs in range(2, 5000) { } }
}

table u {
  of     = crisscross
  scores = [linear8 on UCF101]
  for bs in [64, 12.5] { }
}
