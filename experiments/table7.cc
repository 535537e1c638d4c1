# Table 7: action retrieval on split 1, R@1, R@5 and R@20 for each data set.
#
#   crisscross plan experiments/table7.cc
#
# Pretraining as in the K400 row of Table 4. The roots of K400, UCF101 and HMDB51 stand in crisscross.toml.

use paper
use "downstream.cc"

table table7 "Action retrieval" {
  of     = crisscross_k400
  scores = [retrieval on UCF101, retrieval on HMDB51]
  row "CrissCross"   expect 63.8, 78.7, 89.9, 26.4, 50.5, 77.7
}
