# The shortest experiment: one training and no score.
intra + sync + async
