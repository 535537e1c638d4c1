use paper
allow W0530 "no such code"
pretrain small = crisscross with { relax = none }
