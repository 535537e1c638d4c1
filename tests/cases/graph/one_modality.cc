# `a` is declared and unread: the sampler stays that of both, decoding and network of `a` go.
v1v2
