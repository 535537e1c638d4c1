use paper

# What does not go together, divides by zero, or is too fine to be exact.
assert 2s + 8frames == 3s
assert 2s / 0s == 1
let long = 123456789012345678901234567890 * 123456789012345678901234567890
assert long == 1
assert v.clip.duration == 0.5

# Members that are not there.
assert crisscross.lr_bb == 0.0002
assert v.clip.samples == 8
assert intra.start == 2

# Values of one sort that differ, and of two sorts.
assert v.clip == a.clip
assert crisscross == crisscross_k400
assert crisscross.lr_b == 0.0002
assert mild == medium
assert proj == proj2
assert costs == [0.00001, 0.001]
assert linear8.head == linear32.head
assert crisscross.lr_b < 1
