use paper
eval short = linear8 with { clip = 0.45s @ 16fps }
eval bare  = linear2s with { clip = 2s }
