use paper
pretrain far = crisscross with { relax = windows(within: offset(max), a: same, across: start) }
