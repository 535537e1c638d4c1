eval e = linear8 with { clip = 32 x 224px @ 16fps  bs = 8 x 112 px }
