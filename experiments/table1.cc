# Table 1: the loss terms, pretrained on Kinetics-Sound; linear evaluation on UCF101 (vision) and ESC50 (sound).
#
#   crisscross run experiments/table1.cc          crisscross run --toy experiments/table1.cc
#
# The first two rows have learning rates of their own (App. G.1).
# Cost: 11 pretrainings of 100 epochs of 429 steps of batch 512 on 4 GPUs (KS; Table S10, App. G.1); how long they took is not
# reported. The roots of KS, UCF101 and ESC50 stand in crisscross.toml.
# Numbers: those behind `expect` are Table 1 of the paper.

use paper

table table1 "Ablation of the loss terms, pretrained on Kinetics-Sound" {
  of     = crisscross
  scores = [linear8 on UCF101, linear2s on ESC50]

  row loss = v1v2, lr_b = cosine(0.0001 -> 0),  lr_p = 0.001    expect 69.1, _
  row loss = a1a2, lr_b = cosine(0.00001 -> 0), lr_p = 0.0001   expect _,    62.0
  row loss = intra                                              expect 69.7, 71.8
  row loss = sync                                               expect 70.1, 75.8
  row loss = async                                              expect 69.1, 74.8
  row loss = sync + intra                                       expect 73.8, 78.0
  row loss = sync + async, allow W0802 "so in the paper"        expect 69.1, 74.8
  row loss = async + intra                                      expect 72.4, 75.3
  row loss = v1v2 + sync + async                                expect 71.3, 78.5
  row loss = a1a2 + sync + async                                expect 70.8, 75.3
  row loss = intra + sync + async                               expect 74.8, 79.0
}
