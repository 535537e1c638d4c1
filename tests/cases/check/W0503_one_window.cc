use paper
pretrain still = crisscross with { relax = none }
