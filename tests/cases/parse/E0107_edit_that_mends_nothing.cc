# `=` for `:` and `69.1` for `69.1.` do not read either: nothing of it is done unasked.
pretrain x { f = drop_wordsp: 0.1) }
table t { row bs = 69.1.8 }
