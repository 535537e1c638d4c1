use paper

relaxation far = windows(within: offset(8frames), across: start)

pretrain x = crisscross with { relax = far }
