use paper
pretrain odd = crisscross with { relax = KS }
