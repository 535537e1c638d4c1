use paper
let hop    = 10ms
let window = 1024samples + hop
