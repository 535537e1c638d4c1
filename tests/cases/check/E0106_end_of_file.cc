use paper
pretrain long = crisscross with {
  modalities = [v