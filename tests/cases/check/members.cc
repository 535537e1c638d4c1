use paper

# Everything that stands here holds: exact arithmetic with units, members, and values of every sort side by side.

let length = 8frames / 16fps
let fast   = cosine(0.0004 -> 0, warmup: 2ep)
let short  = 8x112px @ 16fps
let twice  = 2 * fast

assert length == 0.5s
assert 1024samples / 16kHz == 64ms
assert 2s / 10ms == 200
assert 2 * 10ms == 20ms
assert 16kHz * 2s == 32000samples
assert 3 * 0.5s + 500ms == 2s
assert fast.start == 2 * crisscross.lr_b.start
assert fast.end == 0
assert fast.warmup == 2ep
assert twice == cosine(0.0008 -> 0, warmup: 2ep)
assert fast == 2 * crisscross.lr_b
assert short.duration == 0.5s
assert short.frames == 8frames
assert short.size == 112px
assert v.clip == short
assert v.clip.duration == length
assert a.clip.samples == 32000samples
assert crisscross.es / crisscross.bs == 220000 / 512
assert crisscross.v.augment == consistent(MSC-HF-CJ-GS-GB-C)
assert crisscross.relax == mild
assert crisscross.data == KS
assert crisscross.v.f == r2plus1d18 - proj
assert linear8.clip.duration == 0.5s
assert costs == [0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.005, 0.01, 1]
assert VJ-M-RC == VJ-FM-TM-RC
assert KS.classes == 32
assert linear32 == linear8 with { clip = 32x224px @ 16fps   train = random(10)   head = linear(ep: 20, lr: 0.01) }

pretrain more = crisscross with {
  bs = 256   es = 2 * crisscross.es   ep = crisscross.ep / 2
  lr_b = 1/2 * crisscross.lr_b   lr_p = 10 * lr_b.start
}
assert more.es == 440K
assert more.ep == 50
