loss a = x + y * -z - 2 / w -> -1e-4
loss b = 8x112px @ 16fps
loss c = linear8 on UCF101 with { clip = 2s @ 16kHz   test = uniform(2) }
loss d = fc(512)-bn-relu - v.f[1](x, t: 50%)
loss e(x, y) = mean(pair(m[i], n[j]) for m < n in modalities, i != j in views)
assert a - b == (1/2 * c), "Eq. 5"
