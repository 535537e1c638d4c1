use paper
modality t = text(clip: 2s, tokens: 16tokens, from: captions)
pretrain words = crisscross with {
  modalities = [v, a, t]
  t.augment = drop_words(p: 0.1)   t.f = bag_of_words(vocab: 30K, width: 512) - proj   t.h = pred
}
