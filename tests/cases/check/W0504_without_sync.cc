use paper
pretrain side_by_side = crisscross with { relax = medium   loss = intra + async }
