use paper
modality w = video(clip: 8x112 @ 16fps)
