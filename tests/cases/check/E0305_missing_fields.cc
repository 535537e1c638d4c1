use paper
pretrain q { data = KS }
