# The shortest experiment as the training step that it comes to.
intra + sync + async
