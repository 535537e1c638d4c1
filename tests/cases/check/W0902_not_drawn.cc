use paper
figure policies "Relaxation" {
  of     = crisscross
  scores = [linear8 on UCF101]
  x      = relax
  for relax in [mild, mixed] { row }
}
