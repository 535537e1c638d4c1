# Figure 1: the distribution of the learned representations, with and without the asynchronous term.
#
#   crisscross run experiments/fig1.cc          crisscross run --toy experiments/fig1.cc
#
# The paper says neither on which data nor of which modality nor by which projection its points are drawn: all of that is ours,
# and so is the choice of Kinetics400, which Figure 3 uses.
# Cost: 2 pretrainings of 100 epochs of 488 steps of batch 2048 on 8 GPUs (K400), those of Table 2 and trained once (Table S10);
# how long they took is not reported. The root of K400 stands in crisscross.toml.
# Numbers: the figure has none, so nothing is expected.

use paper

# One clip of each sample, at its beginning; features as in linear evaluation.
eval seen  = linear8  with { test = uniform(1) }
eval heard = linear2s with { test = uniform(1) }

figure fig1 "Distribution of the learned representations" {
  of = crisscross_k400
  draw = [
    embedding(seen on K400, split: test, samples: 2000, by: tsne(perplexity: 30)),
    embedding(heard on K400, split: test, samples: 2000, by: tsne(perplexity: 30)),
  ]
  row "w/o async" loss = intra + sync
  row "w/ async"
}
