# Two rows that ask for one training, and a third of its own.
use paper

table t "Shared" {
  of     = crisscross
  scores = [linear8 on UCF101]
  row loss = intra + sync    expect 73.8
  row loss = sync + intra
  row loss = v1v2            expect 69.1
}
