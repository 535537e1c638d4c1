use paper
eval mine = linear8 with { augment = consistent(MSC-HF-C) }
