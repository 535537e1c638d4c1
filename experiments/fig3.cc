# Figure 3: saliency maps of samples of Kinetics400, pretrained without (left) and with (right) the asynchronous term.
#
#   crisscross plan experiments/fig3.cc
#
# Pretraining as in the K400 rows of Table 2, which are trained once. The paper uses Grad-CAM on "randomly selected samples from
# Kinetics400" (Sec. 4.2). It does not say from which split, how many it drew, or of what Grad-CAM takes the gradient, for
# these networks know no classes: `agreement` is the similarity with the sound of the same moment, and ours. The figure has no
# numbers. The root of K400 stands in crisscross.toml. Drawings are planned and not executed yet.

use paper

eval seen = linear8 with { test = uniform(1) }

figure fig3 "Saliency maps without and with the asynchronous loss" {
  of   = crisscross_k400
  draw = saliency(seen on K400, split: test, samples: 12, by: gradcam(target: agreement))
  row "w/o async" loss = intra + sync
  row "w/ async"
}
