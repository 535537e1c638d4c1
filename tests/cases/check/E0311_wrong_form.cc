use paper
data mine { train = 100 }
