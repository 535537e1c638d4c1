# A table in which nothing is wrong: two methods on one network.
use paper

loss simsiam = pair(v[1], v[2])

table t "Two objectives" {
  of     = crisscross
  scores = [linear8 on UCF101]
  row "SimSiam" loss = simsiam, modalities = [v]   expect _
  row "full"
}
