pretrain mine = crisscross with { loss = intra }
table one {
  of     = mine
  scores = [linear8 on UCF101]
  row
}
