use paper
loss x = y
loss y = x
pretrain small = crisscross with { loss = x }
