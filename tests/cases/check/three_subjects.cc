# A mistake of syntax, one of units and one of names hide neither each other nor what depends on them.
use paper

loss both = intra + + sync

modality w = video(clip: 8x112 @ 16fps)

pretrain small = crisscross with {
  loss = both + asynch
}
