use paper
pretrain small = crisscross with {
  loss = 25 * mse(z(v[1]), z(v[2])) + 25 * (hinge_std(z(v[1])) + hinge_std(z(v[2]))) + cov(z(v[1])) + cov(z(v[2]))
  weights = exact   bn = joint
}
