table t {
  row expect _ _, 62.0
  row expect _ 62.0
  row expect 1, _ 62.0
}
