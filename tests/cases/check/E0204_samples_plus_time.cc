use paper
assert 1024samples + 10ms == 74ms
