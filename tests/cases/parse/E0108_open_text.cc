use paper
table t "A title {
  of = small
}
