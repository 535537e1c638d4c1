use paper
modality w = video(clip: 0.45s @ 16fps)
