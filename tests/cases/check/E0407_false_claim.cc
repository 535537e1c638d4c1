use paper
assert intra + sync == 2 * intra, "Eq. 9"
