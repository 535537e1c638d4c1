# Table 6: action recognition after full finetuning, mean over the splits.
#
#   crisscross plan experiments/table6.cc
#
# Pretraining as in Table 4. Finetuning: 20 epochs of 95 K (UCF101) and 35 K samples (HMDB51), Table S11. The numbers behind `expect`
# are the rows of the paper's own method; a dash there is a combination that the paper does not report.

use paper
use "downstream.cc"

table table6 "Action recognition, full finetuning" {
  scores = [finetune8 on UCF101, finetune8_h on HMDB51, finetune32 on UCF101, finetune32_h on HMDB51]
  row of = crisscross        expect _,    _,    88.3, 60.5
  row of = crisscross_k400   expect 86.9, 54.3, 91.5, 64.7
  row of = crisscross_as     expect 89.4, 58.3, 92.4, 67.4
}
