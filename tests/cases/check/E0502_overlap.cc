use paper
relaxation wide = windows(within: overlap(120%, of: each), across: inside)
