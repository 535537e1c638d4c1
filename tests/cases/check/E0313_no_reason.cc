use paper
allow W0503
pretrain small = crisscross with { relax = none allow W0503 " " }
