use paper
figure f {
  of     = crisscross
  scores = [linear8 on UCF101]
  x      = overlap.snyc
  row
}
figure g {
  of     = crisscross
  scores = [linear8 on UCF101]
  x      = overlap.v1a2
  row
}
