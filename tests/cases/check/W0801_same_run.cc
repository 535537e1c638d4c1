use paper
table one {
  of = crisscross
  row loss = sync + intra
  row loss = async
  row "again" loss = intra + sync
  row loss = async + intra, modalities = [a, v]
}
