use paper
pretrain solo = crisscross with {
  modalities = [v]
  loss       = intra + sync
}
