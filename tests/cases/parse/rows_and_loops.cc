use paper
use "lib/more.cc"
# Kept: the comment.
table t "Title" {
  of = small   scores = [see on toy, hear on toy,]
  row "one" v.f = a - b, lr_p = lr_b.start   expect 69.1, _
  row
  for (v.augment, a.augment) in [(x, y), (z, w)] row loss = intra
  for relax in [none, mild] { for seed in range(1, 3) { row } }
}
