use paper
allow W0705 "the paper's protocol"
pretrain allow = crisscross with { allow W0503 "a baseline"  relax = none }
table t {
  of = allow
  allow W0801
  row "plain" relax = none, allow W0503 "a baseline", seed = 2 expect 69.1
}
