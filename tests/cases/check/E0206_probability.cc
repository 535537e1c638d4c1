use paper
augment HF9 = horizontal_flip(p: 50)
