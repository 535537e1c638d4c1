use paper

pretrain short = crisscross with { ep = 40 }

table early {
  of     = short
  scores = [linear8 on UCF101]
  row checkpoint = 20ep
  row checkpoint = 100ep
}

figure curve {
  of     = crisscross
  scores = [linear2s on ESC50]
  x      = checkpoint
  for checkpoint in range(50ep, 150ep, by: 50ep) { row }
}
