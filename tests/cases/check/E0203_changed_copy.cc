# Changed copies of what has neither parameters nor fields.
use paper
augment one    = CJ(brightness: 0.8)-HF
augment two    = MSC with { min_area = 0.2 }
augment three  = MSC(p: 0.5)
data four      = KS with { train = 10K }
modality five  = v with { clip = 16x112px @ 16fps }
pretrain six   = crisscross with { relax = mild(75%) }
pretrain seven = crisscross with { loss = intra + sync with { weights = exact } }
pretrain eight = crisscross with { bn = sync }
eval nine      = linear8 with { train = 25 }
