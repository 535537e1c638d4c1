//! What both residual networks share: four stages of blocks, each stage after the first at half the resolution unless the file says otherwise.

use crate::error::{Error, Result};
use compiler::graph::networks;
use tch::Tensor;

/// The four stages of a network, `conv2x` to `conv5x` in the paper's tables.
#[derive(Debug)]
pub struct Stages<B>(Vec<Vec<B>>);

/// Where a block stands and what it changes.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The stage, from 0.
    pub stage: usize,
    /// The block within the stage, from 0.
    pub block: usize,
    /// Channels that come in.
    pub inputs: i64,
    /// Channels that go out.
    pub outputs: i64,
    /// As the file says; without a word of it 2 in the first block of every stage but the first, 1 elsewhere.
    pub stride: i64,
}

impl Place {
    /// The shape changes, so the shortcut needs a convolution.
    pub fn changes_shape(&self) -> bool {
        self.inputs != self.outputs || self.stride != 1
    }
}

impl<B> Stages<B> {
    /// Stages of `width`, 2, 4 and 8 `width` channels. `depth` is 10 (one block a stage), 18 or 34; `strides` has one for each
    /// block, or is empty for those of the paper.
    pub fn new(
        depth: u32,
        width: i64,
        strides: &[u32],
        mut block: impl FnMut(Place) -> B,
    ) -> Result<Self> {
        let Some(counts) = networks::blocks(depth) else {
            let message = format!("a backbone of depth {depth} is not known; write 10, 18 or 34");
            return Err(Error::Unsupported { message });
        };
        let mut strides = networks::strides(depth, strides).into_iter();
        let mut inputs = width;
        let stage = |(stage, count)| {
            let outputs = width << stage;
            let place = |index| {
                let stride = strides.next().map_or(1, i64::from);
                let place = Place {
                    stage,
                    block: index as usize,
                    inputs,
                    outputs,
                    stride,
                };
                inputs = outputs;
                block(place)
            };
            (0..count).map(place).collect()
        };
        Ok(Self(counts.into_iter().enumerate().map(stage).collect()))
    }

    /// The stem's map, then the map after each stage. Lazy: no map lives longer than it is wanted.
    pub fn maps(
        &self,
        stem: Tensor,
        forward: impl Fn(&B, Tensor) -> Tensor,
    ) -> impl Iterator<Item = Tensor> {
        let after = move |map: &mut Tensor, blocks: Option<&Vec<B>>| {
            *map = blocks
                .into_iter()
                .flatten()
                .fold(map.shallow_clone(), |map, block| forward(block, map));
            Some(map.shallow_clone())
        };
        std::iter::once(None)
            .chain(self.0.iter().map(Some))
            .scan(stem, after)
    }
}
