# One bracket too many, then two of the wrong kind.
pretrain x = crisscross with { loss = intra + sync) }
pretrain y = crisscross with { loss = D(p(v[1]]), sg(z(v[2]))) }
pretrain z = crisscross with { loss = D(p(v[1]], sg(z(v[2]))) }
pretrain w = crisscross with { loss = (intra + sync] }
