# The first is a sum; the others may be anything.
pretrain x = crisscross with { loss = intra sync }
loss y = mine other
loss z = sync + (mine other)
