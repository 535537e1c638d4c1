use paper

# A count where epochs are due, half an epoch, and one row with two states.
table one {
  of     = crisscross
  scores = [linear8 on UCF101]
  row checkpoint = 40
  row checkpoint = 0.5ep
  row checkpoint = 10ep, checkpoint = 20ep
}

# The state of a run is said where it is scored, and this table scores nothing.
pretrain early = crisscross with { checkpoint = 40ep }
table two {
  of = crisscross
  row checkpoint = 40ep
}

# Before the first step, in the middle, and the end; a default of the table.
table three {
  of         = crisscross
  checkpoint = 0ep
  scores     = [linear2s on ESC50]
  row
  row checkpoint = 50ep
  row checkpoint = 100ep
}
