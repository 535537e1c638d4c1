# The pretraining that `cargo xtask gpu-check` steps: the paper's networks, chains and loss, LARC over Adam, on rendered clips.
use paper

data rendered = synthetic(clips: 256, classes: 8, length: 4s, lag: 0.3s, seed: 1)

pretrain check = crisscross_k400 with {
  data = rendered   bs = 128   es = 102400   ep = 1
  lr_b = 0.0002     lr_p = 0.002
}
