use paper
table seen {
  of     = crisscross
  scores = [linear8 on ESC50]
  row
}
