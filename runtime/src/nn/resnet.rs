//! ResNet with basic blocks for spectrograms, as in Table S6 and torchvision: one input channel, Kaiming-normal first values.
//!
//! Table S6 prints stride 2 for every block; as in the released code only the first block of `conv3x`, `conv4x` and `conv5x`
//! has it. That code names the stages `block1` to `block4`.

use super::layers::{BatchNorm, Conv, ConvInit, Mode};
use super::parameters::Parameters;
use super::stages::{Place, Stages};
use crate::error::Result;
use tch::Tensor;

/// The network up to its last map.
#[derive(Debug)]
pub struct Resnet {
    stem: Conv,
    stem_bn: BatchNorm,
    /// `block1` to `block4`.
    stages: Stages<Block>,
}

impl Resnet {
    /// `depth` is 10, 18 or 34; `channels` those of the input and `width` those of the stem; `strides` those of the blocks, empty
    /// for the paper's. Names start with `name`.
    pub fn new(
        parameters: &mut Parameters,
        name: &str,
        depth: u32,
        (channels, width): (i64, i64),
        strides: &[u32],
    ) -> Result<Self> {
        let stem = conv(
            parameters,
            &format!("{name}.conv1.0"),
            (channels, width),
            7,
            2,
        );
        let stem_bn = BatchNorm::new(parameters, &format!("{name}.conv1.1"), width);
        let stages = Stages::new(depth, width, strides, |place| {
            Block::new(
                parameters,
                &format!("{name}.block{}.{}", place.stage + 1, place.block),
                place,
            )
        })?;
        Ok(Self {
            stem,
            stem_bn,
            stages,
        })
    }

    /// Channels of the last map.
    pub fn width(&self) -> i64 {
        8 * self.stem.outputs()
    }

    /// `[B, channels, F, T]` to the maps after the stem's pool and after each stage; the last is `[B, 8 width, F/32, T/32]`,
    /// sizes rounded up.
    pub fn maps<'a>(&'a self, x: &Tensor, mode: Mode) -> impl Iterator<Item = Tensor> + use<'a> {
        let stem = self.stem_bn.forward(&self.stem.forward(x), mode).relu_();
        let stem = stem.max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false);
        self.stages
            .maps(stem, move |block, x| block.forward(&x, mode))
    }
}

/// Two 3x3 convolutions around a shortcut.
#[derive(Debug)]
struct Block {
    conv1: Conv,
    bn1: BatchNorm,
    conv2: Conv,
    bn2: BatchNorm,
    /// Where the shape changes.
    shortcut: Option<(Conv, BatchNorm)>,
}

impl Block {
    fn new(parameters: &mut Parameters, name: &str, place: Place) -> Self {
        let Place {
            inputs,
            outputs,
            stride,
            ..
        } = place;
        let conv1 = conv(
            parameters,
            &format!("{name}.conv1"),
            (inputs, outputs),
            3,
            stride,
        );
        let bn1 = BatchNorm::new(parameters, &format!("{name}.bn1"), outputs);
        let conv2 = conv(
            parameters,
            &format!("{name}.conv2"),
            (outputs, outputs),
            3,
            1,
        );
        let bn2 = BatchNorm::new(parameters, &format!("{name}.bn2"), outputs);
        let shortcut = place.changes_shape().then(|| {
            let conv = conv(
                parameters,
                &format!("{name}.downsample.0"),
                (inputs, outputs),
                1,
                stride,
            );
            (
                conv,
                BatchNorm::new(parameters, &format!("{name}.downsample.1"), outputs),
            )
        });
        Self {
            conv1,
            bn1,
            conv2,
            bn2,
            shortcut,
        }
    }

    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let h = self.bn1.forward(&self.conv1.forward(x), mode).relu_();
        let h = self.bn2.forward(&self.conv2.forward(&h), mode);
        let mut sum = match &self.shortcut {
            Some((conv, bn)) => h + bn.forward(&conv.forward(x), mode),
            None => h + x,
        };
        sum.relu_()
    }
}

/// A square kernel that keeps the size but for its stride.
fn conv(
    parameters: &mut Parameters,
    name: &str,
    channels: (i64, i64),
    kernel: i64,
    stride: i64,
) -> Conv {
    let shape = [[kernel; 2], [stride; 2], [kernel / 2; 2]];
    Conv::new(parameters, name, channels, shape, ConvInit::KaimingFanOut)
}
