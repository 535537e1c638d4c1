use paper
row loss = intra
