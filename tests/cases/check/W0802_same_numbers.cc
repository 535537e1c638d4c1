use paper
table one {
  of     = crisscross
  scores = [linear8 on UCF101, linear2s on ESC50]
  row loss = async           expect 69.1, 74.8
  row loss = intra           expect 69.7, _
  row loss = sync + async    expect 69.1, 74.8
  row loss = sync            expect 69.7, _
}
