//! The three layers with tensors of their own: convolution, BatchNorm, linear.

use super::parameters::{Init, Parameters};
use crate::ranks::Ranks;
use tch::{Device, Tensor, no_grad};

/// A convolution without bias over two or three axes.
#[derive(Debug)]
pub struct Conv {
    weight: Tensor,
    stride: Vec<i64>,
    padding: Vec<i64>,
}

/// The first values of a convolution's weight.
#[derive(Clone, Copy, Debug)]
pub enum ConvInit {
    /// PyTorch's default: uniform with bound `1 / sqrt(fan in)`.
    Default,
    /// Kaiming-normal by the outgoing connections: deviation `sqrt(2 / fan out)`.
    KaimingFanOut,
}

impl Conv {
    /// `kernel`, `stride` and `padding` have one number for each axis. The weight is `NAME.weight`,
    /// `[outputs, inputs, kernel...]`.
    pub fn new<const AXES: usize>(
        parameters: &mut Parameters,
        name: &str,
        channels: (i64, i64),
        [kernel, stride, padding]: [[i64; AXES]; 3],
        init: ConvInit,
    ) -> Self {
        let (inputs, outputs) = channels;
        let shape = [&[outputs, inputs], &kernel[..]].concat();
        let window = kernel.iter().product::<i64>() as f64;
        let init = match init {
            ConvInit::Default => Init::Uniform(1.0 / (inputs as f64 * window).sqrt()),
            ConvInit::KaimingFanOut => Init::Normal((2.0 / (outputs as f64 * window)).sqrt()),
        };
        let weight = parameters.learn(format!("{name}.weight"), &shape, init);
        Self {
            weight,
            stride: stride.to_vec(),
            padding: padding.to_vec(),
        }
    }

    /// `[B, inputs, ...]` to `[B, outputs, ...]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let (stride, padding) = (&self.stride[..], &self.padding[..]);
        // Autocast covers `conv2d` and `conv3d` on every device, the generic `convolution` not on the CPU: there the volumes stay in
        // the weight's type, for PyTorch 2.11.0 gives wrong bfloat16 gradients (a kernel of 3 frames over 2 is enough).
        if stride.len() == 3 && x.device() == Device::Cpu {
            let x = x.to_kind(self.weight.kind());
            let no_bias = None::<&Tensor>;
            x.convolution(
                &self.weight,
                no_bias,
                stride,
                padding,
                [1, 1, 1],
                false,
                [0, 0, 0],
                1,
            )
        } else if stride.len() == 3 {
            x.conv3d(&self.weight, None::<&Tensor>, stride, padding, [1, 1, 1], 1)
        } else {
            x.conv2d(&self.weight, None::<&Tensor>, stride, padding, [1, 1], 1)
        }
    }
}

/// How a network is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// BatchNorm by running statistics.
    Evaluation,
    /// BatchNorm by the batch's own statistics, each of this many equal parts of it by its own; running statistics move part by
    /// part, as they would in as many calls.
    Training {
        /// 1, or the number of views that are joined along the batch.
        parts: i64,
    },
}

/// The share by which a call moves BatchNorm's running statistics, and what is added to a variance.
const MOMENTUM: f64 = 0.1;
const EPS: f64 = 1e-5;

/// BatchNorm over all axes but the second, with PyTorch's numbers: eps 1e-5, running statistics moved by 0.1 in each call. In training
/// on several ranks, over the rows of all of them, forwards and backwards.
#[derive(Debug)]
pub struct BatchNorm {
    weight: Tensor,
    bias: Tensor,
    mean: Tensor,
    variance: Tensor,
    calls: Tensor,
    ranks: Ranks,
}

impl BatchNorm {
    /// Weight 1, bias 0, running mean 0, running variance 1; named as PyTorch does, after `name`.
    pub fn new(parameters: &mut Parameters, name: &str, channels: i64) -> Self {
        Self {
            weight: parameters.learn(format!("{name}.weight"), &[channels], Init::Constant(1.0)),
            bias: parameters.learn(format!("{name}.bias"), &[channels], Init::Constant(0.0)),
            mean: parameters.buffer(format!("{name}.running_mean"), &[channels], 0.0),
            variance: parameters.buffer(format!("{name}.running_var"), &[channels], 1.0),
            calls: parameters.counter(format!("{name}.num_batches_tracked")),
            ranks: parameters.ranks().clone(),
        }
    }

    /// Normalises as `mode` says.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        match mode {
            Mode::Evaluation => self.normalise(x, false),
            Mode::Training { parts: 1 } => self.train(x),
            Mode::Training { parts } => {
                let parts = x.chunk(parts, 0);
                let normalised: Vec<_> = parts.iter().map(|part| self.train(part)).collect();
                Tensor::cat(&normalised, 0)
            }
        }
    }

    /// One batch in training.
    fn train(&self, x: &Tensor) -> Tensor {
        let _ = no_grad(|| self.calls.shallow_clone().g_add_scalar_(1));
        let learned = [&self.weight, &self.bias];
        let running = [&self.mean, &self.variance];
        let over_all = self.ranks.norm(x, learned, running, (MOMENTUM, EPS));
        over_all.unwrap_or_else(|| self.normalise(x, true))
    }

    fn normalise(&self, x: &Tensor, is_training: bool) -> Tensor {
        let (weight, bias) = (Some(&self.weight), Some(&self.bias));
        x.batch_norm(
            weight,
            bias,
            Some(&self.mean),
            Some(&self.variance),
            is_training,
            MOMENTUM,
            EPS,
            true,
        )
    }
}

/// A linear layer with bias.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// PyTorch's default first values: weight and bias uniform with bound `1 / sqrt(inputs)`.
    pub fn new(parameters: &mut Parameters, name: &str, inputs: i64, outputs: i64) -> Self {
        let init = Init::Uniform(1.0 / (inputs as f64).sqrt());
        Self {
            weight: parameters.learn(format!("{name}.weight"), &[outputs, inputs], init),
            bias: parameters.learn(format!("{name}.bias"), &[outputs], init),
        }
    }

    /// `[B, inputs]` to `[B, outputs]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, Some(&self.bias))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::Autocast;
    use tch::Kind;

    #[test]
    fn the_gradient_of_a_volume_on_the_cpu_is_the_same_under_autocast() {
        let mut parameters = Parameters::new(1, Kind::Float, Device::Cpu);
        let shape = [[3, 1, 1], [1, 1, 1], [1, 0, 0]];
        let conv = Conv::new(&mut parameters, "c", (230, 128), shape, ConvInit::Default);
        let x = Tensor::randn([8, 230, 2, 14, 14], (Kind::Float, Device::Cpu));
        let gradient = |half: bool| {
            conv.weight.shallow_clone().zero_grad();
            let y = {
                let _half = half.then(|| Autocast::new(false, true).unwrap());
                conv.forward(&x)
            };
            y.to_kind(Kind::Float).square().mean(Kind::Float).backward();
            conv.weight.grad().copy()
        };
        let (full, half) = (gradient(false), gradient(true));
        let difference = (&full - half).abs().max() / full.abs().max();
        assert!(difference.double_value(&[]) < 0.02, "{difference:?}");
    }
}
