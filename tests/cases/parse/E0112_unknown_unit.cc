pretrain small = crisscross with {
  clip = 2seconds
  rate = 16khz
  size = 3furlongs
}
