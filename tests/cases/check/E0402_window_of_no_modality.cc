use paper
pretrain solo = crisscross with {
  modalities = [v]   loss = v1v2
  relax = windows(within: offset(max), a: same, across: start)
}
