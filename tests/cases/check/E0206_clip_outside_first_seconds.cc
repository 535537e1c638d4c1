use paper

eval early = linear2s with { test = uniform(10, within: 1s) }
