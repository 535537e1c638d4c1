use paper
relaxation beside = windows(within: overlap(0%, of: a), across: inside)
pretrain seconds = crisscross with { relax = beside }
