# A backbone behind a layer, and a predictor that is no predictor.
use paper
layers one   = fc(2048) - resnet18
pretrain two = crisscross with { a.h = same(v.f) }
