use paper

defaults:
  - base
  - model: r2plus1d

pretrain x = crisscross with { bs = ${other.bs}  lr_b = ${lr} }
pretrain y = crisscross with {
  ep 10
  v { augment = msc-hf  flow = none }
}
