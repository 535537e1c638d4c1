table t {
  row intra
  row "a" 2 * sync, relax = mild
  row loss = intra, 512
  row loss sync expect 1
  row "b", loss = intra
  row loss = async 69.1, _
  row loss = async
}
