use paper
table batches {
  of = crisscross
  row bs = 256, bs = 512
}
