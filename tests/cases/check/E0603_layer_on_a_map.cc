use paper
eval wide = linear8 with { features = conv5 - fc(512) }
