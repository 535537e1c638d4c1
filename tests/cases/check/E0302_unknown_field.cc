use paper
table three {
  of     = crisscross
  scores = [linear8 on UCF101, linear2s on ESC50]
  row "lr_p = lr_b"    lr_pred = lr_b.start
}
