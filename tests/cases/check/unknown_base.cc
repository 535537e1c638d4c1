# A base that is misspelt hides nothing of what is written beside it.
use paper

pretrain base  = crisscrosss with { ep = 10 }
pretrain copy  = base with { bss = 3   lr_b = 5s }
pretrain other = Crisscross with { loss = Intra + SYNC   relax = Mild }
pretrain far   = something with { bss = 3 }
eval mine      = linaer8 with { clips = 3 }
table t {
  of = other   scores = [linear8 on UCF102, liner32 on UCF101]
  row epp = 3
  row loss = intar
  row expect 3, 4
}
