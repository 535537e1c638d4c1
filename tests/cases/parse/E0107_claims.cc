assert crisscross.bs = 2048
assert crisscross.bs == 2048 "Table S10"
