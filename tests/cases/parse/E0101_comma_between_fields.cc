pretrain small = crisscross with {
  bs = 512, es = 220K, ep = 5;
}
