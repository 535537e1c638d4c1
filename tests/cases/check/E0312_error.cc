use paper
allow E0301 "errors are mended"
pretrain small = crisscross with { ep = 3 }
