//! The three layers with tensors of their own: convolution, BatchNorm, linear.

use super::lie;
use super::parameters::{Init, Parameters};
use super::running::{MOMENTUM, Running};
use crate::device;
use crate::ranks::Ranks;
use std::rc::Rc;
use tch::Tensor;

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

    /// Channels of the result.
    pub fn outputs(&self) -> i64 {
        self.weight.size()[0]
    }

    /// `[B, inputs, ...]` to `[B, outputs, ...]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        match (self.stride.len(), as_pictures(x)) {
            (3, true) => self.forward_pictures(x),
            (3, _) => x.conv3d(
                &self.weight,
                None::<&Tensor>,
                &self.stride,
                &self.padding,
                [1, 1, 1],
                1,
            ),
            _ => x.conv2d(
                &self.weight,
                None::<&Tensor>,
                &self.stride,
                &self.padding,
                [1, 1],
                1,
            ),
        }
    }

    /// A volume as pictures: oneDNN's kernels for three axes take up to seven times as long for a column of three frames, and the
    /// bfloat16 gradients of PyTorch 2.11.0 are wrong there. The sums are the same. Where channels lie last, as the result has them,
    /// all but the first convolution of a network is a view of the volume and no copy.
    fn forward_pictures(&self, x: &Tensor) -> Tensor {
        let (kernel, batch) = (&self.weight.size()[2..], x.size()[0]);
        let weight = |shape: [i64; 2]| {
            let size = self.weight.size();
            self.weight.view([size[0], -1, shape[0], shape[1]])
        };
        let (stride, padding) = (&self.stride, &self.padding);
        let x = channels_last(x); // [B, T, H, W, C]
        let convolved = |pictures: Tensor, shape, stride: &[i64], padding: &[i64]| {
            let pictures = pictures.permute([0, 3, 1, 2]);
            let made = pictures.conv2d(&weight(shape), None::<&Tensor>, stride, padding, [1, 1], 1);
            made.permute([0, 2, 3, 1])
        };
        let made = match kernel {
            // Frame by frame.
            [1, height, width] if padding[0] == 0 => {
                let frames = x.slice(1, None, None, stride[0]);
                let pictures = frames.flatten(0, 1);
                convolved(pictures, [*height, *width], &stride[1..], &padding[1..])
                    .unflatten(0, [batch, -1])
            }
            // Column by column: a picture is as high as the clip is long.
            [frames, 1, 1] if stride[1..] == [1, 1] && padding[1..] == [0, 0] => {
                let size = x.size();
                let made = convolved(
                    x.flatten(2, 3),
                    [*frames, 1],
                    &[stride[0], 1],
                    &[padding[0], 0],
                );
                made.unflatten(2, &size[2..4])
            }
            // The frames under the kernel are channels of one picture.
            [frames, height, width] => {
                let padded = x.constant_pad_nd([0, 0, 0, 0, 0, 0, padding[0], padding[0]]);
                let windows = padded.unfold(1, *frames, stride[0]); // [B, T', H, W, C, frames]
                let pictures = windows.flatten(4, 5).flatten(0, 1);
                convolved(pictures, [*height, *width], &stride[1..], &padding[1..])
                    .unflatten(0, [batch, -1])
            }
            other => unreachable!("a volume has three axes: {other:?}"),
        };
        made.permute([0, 4, 1, 2, 3])
    }
}

/// A maximum over `kernel` by `kernel` pixels of every frame of `[B, C, T, H, W]`, halving both sides.
pub fn pool_frames(x: &Tensor, kernel: i64) -> Tensor {
    let (kernel, padding) = ([kernel; 2], [kernel / 2; 2]);
    if !as_pictures(x) {
        let flat = |sides: [i64; 2], time| [time, sides[0], sides[1]];
        return x.max_pool3d(
            flat(kernel, 1),
            [1, 2, 2],
            flat(padding, 0),
            [1, 1, 1],
            false,
        );
    }
    let frames = channels_last(x).flatten(0, 1).permute([0, 3, 1, 2]);
    let pooled = frames.max_pool2d(kernel, [2, 2], padding, [1, 1], false);
    pooled
        .permute([0, 2, 3, 1])
        .unflatten(0, [x.size()[0], -1])
        .permute([0, 4, 1, 2, 3])
}

/// Whether volumes are treated as pictures where this one is.
fn as_pictures(x: &Tensor) -> bool {
    lie::as_pictures(x.device(), device::settings().memory_format)
}

/// `[B, C, T, H, W]` as `[B, T, H, W, C]`.
fn channels_last(x: &Tensor) -> Tensor {
    x.permute([0, 2, 3, 4, 1])
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
    /// BatchNorm by the statistics of so many consecutive rows, which no other rank has a part of. What they were is collected until
    /// running statistics move by it, once.
    Grouped {
        /// Rows of a group.
        rows: i64,
    },
}

/// What is added to a variance.
const EPS: f64 = 1e-5;

/// BatchNorm over all axes but the second, with PyTorch's numbers: eps 1e-5, running statistics moved by 0.1 in each call. In training
/// on several ranks, over the rows of all of them, forwards and backwards.
#[derive(Debug)]
pub struct BatchNorm {
    weight: Tensor,
    bias: Tensor,
    running: Rc<Running>,
    ranks: Ranks,
}

impl BatchNorm {
    /// Weight 1, bias 0, running mean 0, running variance 1; named as PyTorch does, after `name`.
    pub fn new(parameters: &mut Parameters, name: &str, channels: i64) -> Self {
        let weight = parameters.learn(format!("{name}.weight"), &[channels], Init::Constant(1.0));
        let bias = parameters.learn(format!("{name}.bias"), &[channels], Init::Constant(0.0));
        Self {
            weight,
            bias,
            running: parameters.running(name, channels),
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
            Mode::Grouped { rows } => {
                let groups = x.split(rows, 0);
                let normalised: Vec<_> = groups.iter().map(|group| self.collect(group)).collect();
                Tensor::cat(&normalised, 0)
            }
        }
    }

    /// One batch in training.
    fn train(&self, x: &Tensor) -> Tensor {
        self.running.count();
        let learned = [&self.weight, &self.bias];
        let running = self.running.tensors();
        let over_all = self.ranks.norm(x, learned, running, (MOMENTUM, EPS));
        over_all.unwrap_or_else(|| self.normalise(x, true))
    }

    /// One group in training.
    fn collect(&self, x: &Tensor) -> Tensor {
        // A kernel that moves statistics by all of the way leaves those that it has seen.
        let seen = self.running.tensors().map(Tensor::zeros_like);
        let normalised = self.normalise_by(x, [&seen[0], &seen[1]], Some(1.0));
        self.running.collect(&seen);
        normalised
    }

    fn normalise(&self, x: &Tensor, is_training: bool) -> Tensor {
        self.normalise_by(x, self.running.tensors(), is_training.then_some(MOMENTUM))
    }

    /// By `running` statistics, or by its own, which move them by this share.
    fn normalise_by(&self, x: &Tensor, running: [&Tensor; 2], share: Option<f64>) -> Tensor {
        let [mean, variance] = running.map(Some);
        let learned = [Some(&self.weight), Some(&self.bias)];
        x.batch_norm(
            learned[0],
            learned[1],
            mean,
            variance,
            share.is_some(),
            share.unwrap_or(0.0),
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
    use crate::ffi::{Autocast, Half};
    use tch::{Device, Kind};

    /// Value and gradients, wherever channels lie, against the kernel for three axes.
    #[test]
    fn a_volume_as_pictures_is_convolved_as_a_volume() {
        let shapes = [
            [[3, 7, 7], [1, 2, 2], [1, 3, 3]],
            [[1, 3, 3], [1, 2, 2], [0, 1, 1]],
            [[3, 1, 1], [2, 1, 1], [1, 0, 0]],
            [[1, 1, 1], [2, 2, 2], [0, 0, 0]],
            [[3, 1, 1], [1, 2, 1], [1, 0, 0]],
            [[1, 3, 3], [1, 1, 1], [1, 1, 1]],
        ];
        let options = (Kind::Double, Device::Cpu);
        for shape in shapes {
            let mut parameters = Parameters::new(1, Kind::Double, Device::Cpu);
            let conv = Conv::new(&mut parameters, "c", (4, 5), shape, ConvInit::Default);
            let rows = Tensor::randn([2, 4, 5, 9, 7], options);
            let last = rows
                .permute([0, 2, 3, 4, 1])
                .contiguous()
                .permute([0, 4, 1, 2, 3]);
            for x in [rows, last] {
                let x = x.set_requires_grad(true);
                let [_, stride, padding] = shape;
                let volume = x.conv3d(&conv.weight, None::<&Tensor>, stride, padding, [1; 3], 1);
                let pictures = conv.forward(&x);
                assert_eq!(volume.size(), pictures.size(), "{shape:?}");
                let weights = volume.randn_like();
                let of = |y: &Tensor| {
                    let sum = (y * &weights).sum(None);
                    Tensor::run_backward(&[sum], &[&x, &conv.weight], false, false)
                };
                let (wanted, found) = (of(&volume), of(&pictures));
                let pairs = wanted.iter().zip(&found).chain([(&volume, &pictures)]);
                for (wanted, found) in pairs {
                    let apart = (wanted - found).abs().max().double_value(&[]);
                    assert!(apart < 1e-12, "{shape:?}: {apart:e}");
                }
            }
        }
    }

    #[test]
    fn the_maximum_over_frames_is_that_over_their_volume() {
        let x = Tensor::randn([2, 3, 4, 9, 8], (Kind::Float, Device::Cpu));
        let volume = x.max_pool3d([1, 3, 3], [1, 2, 2], [0, 1, 1], [1, 1, 1], false);
        assert_eq!(pool_frames(&x, 3), volume);
    }

    #[test]
    fn the_gradient_of_a_volume_on_the_cpu_is_the_same_under_autocast() {
        let mut parameters = Parameters::new(1, Kind::Float, Device::Cpu);
        let shape = [[3, 1, 1], [1, 1, 1], [1, 0, 0]];
        let conv = Conv::new(&mut parameters, "c", (230, 128), shape, ConvInit::Default);
        let x = Tensor::randn([8, 230, 2, 14, 14], (Kind::Float, Device::Cpu));
        let gradient = |half: bool| {
            conv.weight.shallow_clone().zero_grad();
            let y = {
                let _half = half.then(|| Autocast::new(false, Some(Half::Bfloat16)).unwrap());
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
