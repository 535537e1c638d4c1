# The shortest experiment.
intra + sync   # and no more
