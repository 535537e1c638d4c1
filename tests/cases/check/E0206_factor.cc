# A factor that would raise the rate.
use paper
pretrain one = crisscross with { lr_b = multistep(0.1, ms: [60ep, 90ep], gamma: 10) }
