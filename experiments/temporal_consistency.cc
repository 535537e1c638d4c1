# Sec. 4.5: the same augmentation for all frames of a clip, or a new one for each frame.
#
#   crisscross run experiments/temporal_consistency.cc          crisscross run --toy experiments/temporal_consistency.cc
#
# As published: 100 epochs of 429 steps of batch 512 per row, on 4 GPUs. The roots of KS and UCF101 stand in crisscross.toml. The
# numbers are those of the text; the second row is row 2 of Table 5, where it is rounded, and is trained once. `visual` is the
# pretraining of that table.

use paper
use "table5.cc"

table temporal_consistency "The same augmentation for a clip, or a new one for each frame" {
  of     = visual
  scores = [linear8 on UCF101]
  row "temporally random"     v.augment = per_frame(MSC-HF-CJ-GS), allow W0607 "what Sec. 4.5 compares"   expect 53.69
  row "temporally consistent" v.augment = consistent(MSC-HF-CJ-GS)                                        expect 68.09
}
