intra sync
