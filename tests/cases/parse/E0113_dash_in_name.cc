pretrain my-run-2 = crisscross with { bs = 512 }
