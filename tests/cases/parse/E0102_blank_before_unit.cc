modality v = video(clip: 8x112px @ 16 fps)
pretrain small = crisscross with { clip = 2 s }
