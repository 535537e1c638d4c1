use paper
allow W0411 "nothing collapses here"
table policies {
  of = crisscross
  row relax = none, allow W0503 "the baseline of Fig. 4"
  row relax = mild, allow W0503 "copied from the row above"
}
