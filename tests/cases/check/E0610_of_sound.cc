use paper
modality o = flow(of: a, method: tvl1)
modality still = video(clip: 1x112px @ 16fps)
modality q = flow(of: still, method: tvl1)
