use paper
augment hidden = VJ - time_mask(max: 500bins, count: 1) - freq_mask(100bins, count: 1)
pretrain one = crisscross with { a.augment = hidden   v.augment = consistent(MSC - cutout(max: 200px, count: 1, fill: first_frame_mean)) }
pretrain two = crisscross with { a.augment = VJ - time_warp(window: 200bins) }
eval short = linear2s with { clip = 0.2s @ 16kHz   features = conv5 - l2 - bn }
