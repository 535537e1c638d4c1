# What comes from other tools.
use paper
pretrain one = crisscross with { learning_rate = 0.1   batch_size = 64   num_workers = 4 }
pretrain two = crisscross with { optim = sgd(momentum: 0.9, wd: 0)   loss = "intra + sync" }
pretrain three = crisscross with { modalities = (v, a)   precision = "amp"   relax = None }
pretrain four = crisscross with { modalities = v   loss = v1v2 }
pretrain cosines = crisscross with { lr_b = cosine(0.0002, 0)   seed = null }
table five {
  of     = crisscross
  scores = [linear8 on UCF101]
  for seed in range(3) { row }
  row expect 179
}
