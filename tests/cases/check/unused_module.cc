# A file of losses alone may be meant for runs with more views and modalities.
use paper

loss third  = pair(v[1], v[3])
loss broken = pair(v[1], v[3]) + intra * sync
