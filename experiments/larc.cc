# LARC's clip on and off: App. G.1 uses it for batches of 2048; does it matter at 512? An experiment of ours, not of the paper.
#
#   crisscross run experiments/larc.cc          crisscross run --toy experiments/larc.cc
#
# Cost: 3 pretrainings of 100 epochs of 429 steps of batch 512 (KS); the first is row 11 of Table 1 and is trained once; not
# measured. The roots of KS, UCF101 and ESC50 stand in crisscross.toml.
# Numbers: none are published.

use paper

table larc_table "LARC over Adam at batch 512" {
  of     = crisscross
  scores = [linear8 on UCF101, linear2s on ESC50]
  row "Adam"
  row "LARC, trust 0.001" optim = larc(adam(betas: (0.9, 0.999), wd: 0.0001), trust: 0.001)
  row "LARC, trust 0.02"  optim = larc(adam(betas: (0.9, 0.999), wd: 0.0001), trust: 0.02)
}
