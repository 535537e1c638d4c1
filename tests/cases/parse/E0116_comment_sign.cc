// what is trained
pretrain small = crisscross with {
  bs = 64   // samples
  ep = 5    /* epochs */
}
