use paper

eval mine = linear8 with { train = random(24)   clip = 16x224px @ 16fps }

# Two fields differ, one of two has data, and an evaluation is no pretraining.
assert mine == linear8, "the prelude"
assert linear2s on ESC50 == linear5s
assert linear32 on UCF101 == crisscross

# The same data under another name of a field is the same; another set is not.
eval named {
  data = UCF101   uses = v   clip = 8x224px @ 16fps   train = random(25)   test = uniform(10)
  augment = consistent(MSC-HF-CJ-GS-C)   features = conv5 - maxpool(1, 4, 4, stride: 1)
  head = svm(cost: best(costs, split: test))   score = top1(mean(clips))
}
assert named == linear8 on UCF101
assert named == linear8 on HMDB51

# What is no number is not less or more.
assert crisscross < crisscross_k400
assert intra >= sync
