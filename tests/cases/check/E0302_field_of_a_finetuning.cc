# One field of a finetuning makes no finetuning of a probe.
use paper
eval probe = linear8 with { ep = 20 }
