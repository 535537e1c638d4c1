use paper
table one {
  of = crisscross   scores = [linear8 on UCF101, linear8 on HMDB51, linear8 on UCF101]
  row
}
