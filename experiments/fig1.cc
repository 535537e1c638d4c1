# Figure 1: the distribution of the learned representations, with and without the asynchronous term.
#
#   crisscross plan experiments/fig1.cc
#
# Pretraining as in the K400 rows of Table 2, which are trained once. The figure has no numbers, and the paper says neither on which
# data nor of which modality nor by which projection its points are drawn: all of that is ours, and so is the choice of
# Kinetics400, which Figure 3 uses. The roots of K400 stand in crisscross.toml. Drawings are planned and not executed yet.

use paper

# One clip of each sample, in its middle; features as in linear evaluation.
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
