# Table 8: sound classification with linear evaluation. The numbers are those of Table 4 beside other methods.
#
#   crisscross run experiments/table8.cc          crisscross run --toy experiments/table8.cc
#
# Pretraining as in Table 4. The roots of K400, AS, ESC50 and DCASE stand in crisscross.toml.

use paper

table table8 "Sound classification" {
  scores = [linear5s on ESC50, linear1s on DCASE]
  row of = crisscross_k400   expect 86.8, 96
  row of = crisscross_as     expect 90.5, 97
}
