use paper
table one {
  of     = crisscross
  scores = [linear8 on UCF101, linear2s on ESC50]
  row loss = intra    expect 79%, _
}
