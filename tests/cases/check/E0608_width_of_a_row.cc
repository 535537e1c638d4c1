use paper
eval values = linear8 with { dim = 8192 }
table narrower {
  of     = crisscross
  scores = [values on UCF101]
  row "as the paper"
  row "narrow" v.f = r2plus1d(depth: 18, width: 32) - proj
}
