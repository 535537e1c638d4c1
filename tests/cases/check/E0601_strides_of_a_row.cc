use paper
table smaller {
  of     = crisscross
  scores = [linear8 on UCF101, linear2s on ESC50]
  row "as the paper"
  row "smaller maps" v.f = r2plus1d(depth: 18, width: 64, strides: (2, 2, 2, 4)) - proj
}
