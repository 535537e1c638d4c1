import paper
include "folder/file.cc"
pretrain x = crisscross
