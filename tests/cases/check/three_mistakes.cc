use paper
augment HF9 = horizontal_flip(p: 50)
data mine = videos(train: 100, classes: 4, requires: [v, a], short: skp)
pretrain small = crisscross with { loss = intra + synch   data = mine   v.augment = MSC-HF9 }
