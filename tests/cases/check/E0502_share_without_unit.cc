# A share in percent without its unit, and one that does not say of what.
use paper
pretrain one = crisscross with { relax = windows(within: overlap(50, of: each), across: inside) }
pretrain two = crisscross with { relax = windows(within: overlap(0.5), across: inside) }
