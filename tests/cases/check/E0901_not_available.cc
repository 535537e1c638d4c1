use paper
modality t = text(clip: 2s, tokens: 16tokens, from: captions)
