# Table 6: action recognition after full finetuning, mean over the splits.
#
#   crisscross plan experiments/table6.cc
#
# Cost: 3 pretrainings, those of Table 4 and trained once: 1 of 100 epochs of 429 steps of batch 512 on 4 GPUs (KS), 1 of 100
# epochs of 488 steps of batch 2048 on 8 GPUs (K400), 1 of 100 epochs of 1708 steps of batch 2048 on 8 GPUs (AS; Table S10). 12
# finetunings for each split, of 20 epochs of 95 K (UCF101) or 35 K samples (HMDB51; Table S11) on 1 GPU (App. G.2); how long they
# took is not reported. The roots of KS, K400, AS, UCF101 and HMDB51 stand in crisscross.toml.
# Numbers: those behind `expect` are the rows of the paper's own method in Table 6; `_` is a combination that it does not report.

use paper

table table6 "Action recognition, full finetuning" {
  scores = [finetune8 on UCF101, finetune8_h on HMDB51, finetune32 on UCF101, finetune32_h on HMDB51]
  row of = crisscross        expect _,    _,    88.3, 60.5
  row of = crisscross_k400   expect 86.9, 54.3, 91.5, 64.7
}

# With `use released` in the place of `use paper` these are finetuned by other rates, milestones and dropout than those above.
table table6_as "Action recognition, full finetuning after AudioSet" {
  scores = [finetune8_as on UCF101, finetune8_h_as on HMDB51, finetune32_as on UCF101, finetune32_h_as on HMDB51]
  row of = crisscross_as   expect 89.4, 58.3, 92.4, 67.4
}
