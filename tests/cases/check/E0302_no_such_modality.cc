use paper
relaxation far = windows(within: offset(max), x: same, across: start)
