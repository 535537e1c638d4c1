use paper

eval found = linear8 with { test = uniform(1) }

# The neighbours of an evaluation that has none, and an evaluation without data.
figure one {
  of   = crisscross
  draw = [gallery(linear8 on K400, queries: 6, top: 5), embedding(linear8, split: test, samples: 100, by: pca)]
  row
}

# Fewer samples than t-SNE looks at, a part that a data set does not have, and a target that nothing is.
figure two {
  of   = crisscross
  draw = [
    embedding(found on K400, split: test, samples: 50, by: tsne(perplexity: 30)),
    saliency(found on K400, split: val, samples: 6, by: gradcam(target: class))
  ]
  row
}

# A drawing and a curve that are misspelt, and one that lacks what it needs.
figure three {
  of     = crisscross
  draw   = embeding(found on K400, split: test, samples: 50, by: pca)
  curves = [train.los]
  row
}
figure four {
  of   = crisscross
  draw = saliency(found on K400, split: test)
  row
}

# More samples than there are, and sound where there is none.
data few = synthetic(clips: 40, classes: 4, length: 4s, lag: 0s, seed: 1)
figure five {
  of   = crisscross
  draw = [
    embedding(found on few, split: test, samples: 100, by: pca),
    saliency(found on UCF101, split: test, samples: 6, by: gradcam(target: agreement)),
    saliency(found on K400, split: test, samples: 6, by: smoothgradcampp(target: activation, draws: 0, noise: 2))
  ]
  row
}
