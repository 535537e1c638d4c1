# Names that other tools have, and names of one letter.
use paper
loss one   = D(p(v[1]), detach(z(v[2]))) + D(p(v[2]), no_grad(z(v[1])))
loss two   = D(p(v[1]), stop_gradient(z(t[2]))) + D(p(v[j]), sg(z(v[1])))
augment three = Compose([MSC, HF, CJ])
augment four  = random_resized_crop(scale: (0.08, 1))
pretrain five  = crisscross with { data = Kinetics400   loss = pair(v[1], audio[1]) }
pretrain six   = crisscross with { loss = mean(pair(v[i], a[1])) }
pretrain seven = crisscross with { v.f = r2plus1d18 - linear(2048)-bn }
table eight {
  of     = crisscross
  scores = [linear8 on UCF101]
  row loss = one
  row loss = two
  row v.augment = consistent(three-four)
}
