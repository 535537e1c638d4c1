use paper
table later {
  of     = crisscross
  scores = [linear32 on HMDB51]
  row
}
