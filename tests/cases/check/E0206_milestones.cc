use paper
pretrain one = crisscross with { lr_b = multistep(0.0002, ms: [90ep, 60ep], gamma: 0.1) }
pretrain two = crisscross with { lr_p = multistep(0.0002, ms: [60ep, 60ep], gamma: 0.1) }
