# Figure 3: saliency maps of samples of Kinetics400, pretrained without (left) and with (right) the asynchronous term.
#
#   crisscross run experiments/fig3.cc          crisscross run --toy experiments/fig3.cc
#
# The paper uses Grad-CAM on "randomly selected samples from Kinetics400" (Sec. 4.2). It does not say from which split, how many
# it drew, or of what Grad-CAM takes the gradient, for these networks know no classes: `agreement` is the similarity with the
# sound of the same moment, and ours. What it cites for Grad-CAM is Smooth Grad-CAM++ (Omeiza et al. 2019), so both are drawn;
# its copies and their noise are ours, as SmoothGrad advises.
# Cost: 2 pretrainings of 100 epochs of 488 steps of batch 2048 on 8 GPUs (K400), those of Table 2 and trained once (Table S10);
# how long they took is not reported. The root of K400 stands in crisscross.toml.
# Numbers: the figure has none, so nothing is expected.

use paper

eval seen = linear8 with { test = uniform(1) }

figure fig3 "Saliency maps without and with the asynchronous loss" {
  of = crisscross_k400
  draw = [
    saliency(seen on K400, split: test, samples: 12, by: gradcam(target: agreement)),
    saliency(seen on K400, split: test, samples: 12, by: smoothgradcampp(target: agreement, draws: 16, noise: 0.1)),
  ]
  row "w/o async" loss = intra + sync
  row "w/ async"
}
