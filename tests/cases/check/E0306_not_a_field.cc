use paper
table rates {
  of = crisscross
  for lr in [0.001, 0.002] { row }
}
