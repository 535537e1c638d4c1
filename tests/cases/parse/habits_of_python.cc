from paper import crisscross

loss each = lambda x: pair(x, v[1])
loss twice = sum(pair(v[i], v[j]) for i, j in views)
pretrain x = crisscross with { loss = intra if yes else sync }
table t {
  for seed in 1..3 { row }
  for bs in 256, 512 { row }
}
assert intra == sync and sync == async
