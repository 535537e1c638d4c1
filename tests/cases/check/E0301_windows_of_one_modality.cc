use paper
relaxation far = windows(within: offset(max), a: halves, across: start)
