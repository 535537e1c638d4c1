use paper

# Fields.
pretrain own    = crisscross with { es = 2 * es }
pretrain clip   = crisscross with { bs = v.clip }
pretrain raised = crisscross with { lr_b = crisscross.lr_b + 0.1 }
