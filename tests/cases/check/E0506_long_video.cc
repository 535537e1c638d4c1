use paper
modality w = video(clip: 48x112px @ 16fps)
pretrain long = crisscross with {
  modalities = [w, a]
  w.augment = consistent(MSC)   w.f = r2plus1d18 - proj   w.h = pred
}
