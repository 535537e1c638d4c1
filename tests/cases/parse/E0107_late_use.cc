loss both = intra + sync
use paper
