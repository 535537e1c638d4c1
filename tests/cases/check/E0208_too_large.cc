use paper
assert 1e25 * 1e25 == 1
