use paper
eval tiny = linear8 with { clip = 8x32px @ 16fps }
