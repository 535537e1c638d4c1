loss = intra + sync
let in = 3
use 3
table "A title" { of = small }
pretrain small = crisscross with { on = 3 }
