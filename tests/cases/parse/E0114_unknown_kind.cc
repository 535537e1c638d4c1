pretrian small = crisscross with { bs = 64 }
batch = 64
model big { depth = 18 }
