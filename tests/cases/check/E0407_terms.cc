use paper
loss one = D(p(v[1]), sg(z(v[2])))
assert one == 2 * one + cos(z(a[1]), z(a[2])), "terms that are no pairs"
assert unit(intra + sync) == 1/3 * (intra + sync + async), "Eq. 5"
