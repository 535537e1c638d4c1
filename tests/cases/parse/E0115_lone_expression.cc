intra + sync
loss both = intra + sync
