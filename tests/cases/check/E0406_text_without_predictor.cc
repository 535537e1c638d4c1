use paper
modality t = text(clip: 2s, tokens: 16tokens, from: captions)
data talk = videos(train: 9K, classes: 10, requires: [v, a, t], short: skip)
pretrain words = crisscross with {
  data = talk   modalities = [v, a, t]
  t.augment = drop_words(p: 0.1)   t.f = bag_of_words(vocab: 30K, width: 512) - proj
}
