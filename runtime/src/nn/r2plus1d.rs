//! R(2+1)D as in Table S5: a full 3x7x7 stem, then residual blocks of spatial and temporal convolutions.
//!
//! As the released code has it: the convolutions between space and time keep the block's output width (torchvision's network
//! widens there, to match the parameters of a 3D convolution); no BatchNorm stands on the 1x1x1 shortcut or after the last
//! temporal convolution: one BatchNorm acts on the sum.

use super::layers::{BatchNorm, Conv, ConvInit, Mode, pool_frames};
use super::parameters::Parameters;
use super::stages::{Place, Stages};
use crate::error::Result;
use tch::Tensor;

/// The network up to its last map.
#[derive(Debug)]
pub struct R2plus1d {
    stem: Conv,
    stem_bn: BatchNorm,
    /// `conv2x` to `conv5x`.
    stages: Stages<Block>,
}

impl R2plus1d {
    /// `depth` is 10, 18 or 34; `width` the channels of the stem; `strides` those of the blocks, empty for the paper's. Names start
    /// with `name`.
    pub fn new(
        parameters: &mut Parameters,
        name: &str,
        depth: u32,
        width: i64,
        strides: &[u32],
    ) -> Result<Self> {
        let stem_shape = [[3, 7, 7], [1, 2, 2], [1, 3, 3]];
        let stem = Conv::new(
            parameters,
            &format!("{name}.conv1.0"),
            (3, width),
            stem_shape,
            ConvInit::Default,
        );
        let stem_bn = BatchNorm::new(parameters, &format!("{name}.conv1.1"), width);
        let stages = Stages::new(depth, width, strides, |place| {
            Block::new(
                parameters,
                &format!("{name}.conv{}x.{}", place.stage + 2, place.block),
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

    /// `[B, 3, T, H, W]` to the maps after the stem's pool and after each stage; the last is `[B, 8 width, T/8, H/32, W/32]`,
    /// sizes rounded up.
    pub fn maps<'a>(&'a self, x: &Tensor, mode: Mode) -> impl Iterator<Item = Tensor> + use<'a> {
        let stem = self.stem_bn.forward(&self.stem.forward(x), mode).relu_();
        let stem = pool_frames(&stem, 3);
        self.stages
            .maps(stem, move |block, x| block.forward(&x, mode))
    }
}

/// Two pairs of a spatial and a temporal convolution around a shortcut.
#[derive(Debug)]
struct Block {
    spatial1: Conv,
    spatial1_bn: BatchNorm,
    temporal1: Conv,
    temporal1_bn: BatchNorm,
    spatial2: Conv,
    spatial2_bn: BatchNorm,
    temporal2: Conv,
    /// Where the shape changes.
    shortcut: Option<Conv>,
    sum_bn: BatchNorm,
}

impl Block {
    fn new(parameters: &mut Parameters, name: &str, place: Place) -> Self {
        let Place {
            inputs,
            outputs,
            stride: s,
            ..
        } = place;
        let mut conv = |part: &str, channels, shape| {
            Conv::new(
                parameters,
                &format!("{name}.{part}"),
                channels,
                shape,
                ConvInit::Default,
            )
        };
        let inner = (outputs, outputs);
        let spatial1 = conv(
            "spt_conv1",
            (inputs, outputs),
            [[1, 3, 3], [1, s, s], [0, 1, 1]],
        );
        let temporal1 = conv("tmp_conv1", inner, [[3, 1, 1], [s, 1, 1], [1, 0, 0]]);
        let spatial2 = conv("spt_conv2", inner, [[1, 3, 3], [1, 1, 1], [0, 1, 1]]);
        let temporal2 = conv("tmp_conv2", inner, [[3, 1, 1], [1, 1, 1], [1, 0, 0]]);
        let shortcut = place.changes_shape().then(|| {
            conv(
                "res_conv",
                (inputs, outputs),
                [[1, 1, 1], [s, s, s], [0, 0, 0]],
            )
        });
        let mut bn = |part: &str| BatchNorm::new(parameters, &format!("{name}.{part}"), outputs);
        let (spatial1_bn, temporal1_bn) = (bn("spt_bn1"), bn("tmp_bn1"));
        let (spatial2_bn, sum_bn) = (bn("spt_bn2"), bn("out_bn"));
        Self {
            spatial1,
            spatial1_bn,
            temporal1,
            temporal1_bn,
            spatial2,
            spatial2_bn,
            temporal2,
            shortcut,
            sum_bn,
        }
    }

    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let h = self
            .spatial1_bn
            .forward(&self.spatial1.forward(x), mode)
            .relu_();
        let h = self
            .temporal1_bn
            .forward(&self.temporal1.forward(&h), mode)
            .relu_();
        let h = self
            .spatial2_bn
            .forward(&self.spatial2.forward(&h), mode)
            .relu_();
        let h = self.temporal2.forward(&h);
        let sum = match &self.shortcut {
            Some(shortcut) => h + shortcut.forward(x),
            None => h + x,
        };
        self.sum_bn.forward(&sum, mode).relu_()
    }
}
