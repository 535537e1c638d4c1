use paper
pretrain one = crisscross with { lr_b = multistep(0.0002, ms: [60ep, 90ep, 200ep], gamma: 0.1) }
pretrain two = crisscross with { ep = 50   v.lr_b = multistep(0.0002, ms: [20ep, 50ep], gamma: 0.1) }
