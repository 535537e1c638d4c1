# Fields and arguments that other tools have.
use paper
pretrain one   = crisscross with { v.encoder = r2plus1d18 - proj   v.predictor = pred   v.transform = MSC   v.bs = 3 }
pretrain two   = crisscross with { backbone = r2plus1d18 - proj   f = r2plus1d18 - proj   backbone.v = r2plus1d18 - proj }
pretrain three = crisscross with { weight_decay = 0.1   momentum = 0.9   temperature = 0.1   projector = proj }
augment four   = cutout(size: 20px, count: 1, fill: first_frame_mean)
data five      = videos(path: "/data", train: 5000, classes: 10, requires: [v], short: skip)
pretrain six   = crisscross with { loss = D(p(v[1]), z(v[2]).detach()) }
pretrain seven = crisscross with { v.augment = consistent(MSC-four)   data = five }
