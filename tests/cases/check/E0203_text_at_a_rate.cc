use paper
modality t = text(clip: 2s @ 16kHz, tokens: 16tokens, from: captions)
