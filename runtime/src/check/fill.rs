//! Values in closed form for the networks and views of a check: any program can make the same ones from the names alone.

use crate::data::batch::{Batch, Clips};
use crate::data::overlaps::Overlaps;
use crate::error::Result;
use crate::nn::Model;
use compiler::graph::Node;
use compiler::graph::networks;
use compiler::plan::Pretrain;
use std::collections::BTreeMap;
use std::time::Duration;
use tch::Tensor;

/// A stream of numbers in [-1, 1), named by a string.
pub struct Stream(u64);

impl Stream {
    /// FNV-1a of the name.
    pub fn new(name: &str) -> Self {
        Self(name.bytes().fold(0xcbf2_9ce4_8422_2325, |h, byte| {
            (h ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        }))
    }

    /// The `i`-th number, a multiple of 2^-23.
    pub fn at(&self, i: usize) -> f64 {
        let mut z = self
            .0
            .wrapping_add((i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f64 / 8_388_608.0 - 1.0
    }
}

/// A weight, or a bias: uniform with bound `sqrt(6 / fan in)`, or `sqrt(1 / fan in)`.
pub fn parameter(name: &str, count: usize, kind: &str, fan_in: f64) -> Vec<f32> {
    let bound = (if kind == "weight" { 6.0 } else { 1.0 } / fan_in).sqrt();
    let stream = Stream::new(name);
    (0..count).map(|i| (stream.at(i) * bound) as f32).collect()
}

/// A batch of clips `[n, 3, 8, 112, 112]`: colour, coarse blocks and noise.
pub fn video(name: &str, n: usize) -> Vec<f32> {
    let (dc, coarse, fine) = streams(name);
    let (t, side) = (8, 112);
    (0..n * 3 * t * side * side)
        .map(|i| {
            let (nc, t, y, x) = (
                i / (t * side * side),
                i / (side * side) % t,
                i / side % side,
                i % side,
            );
            let block = ((nc * 4 + t / 2) * 7 + y / 16) * 7 + x / 16;
            (dc.at(nc) + 1.5 * coarse.at(block) + 0.5 * fine.at(i)) as f32
        })
        .collect()
}

/// A batch of spectrograms `[n, 1, 80, 200]`.
pub fn audio(name: &str, n: usize) -> Vec<f32> {
    let (dc, coarse, fine) = streams(name);
    let (bands, columns) = (80, 200);
    (0..n * bands * columns)
        .map(|i| {
            let (n, f, t) = (i / (bands * columns), i / columns % bands, i % columns);
            let block = (n * 10 + f / 8) * 10 + t / 20;
            (dc.at(n) + 1.5 * coarse.at(block) + 0.5 * fine.at(i)) as f32
        })
        .collect()
}

fn streams(name: &str) -> (Stream, Stream, Stream) {
    (
        Stream::new(&format!("{name}.dc")),
        Stream::new(&format!("{name}.coarse")),
        Stream::new(name),
    )
}

/// Gives every parameter of the networks the value of its name; BatchNorm keeps its ones and zeros.
pub fn fill(model: &Model) -> Result<()> {
    let entries: Vec<_> = model.entries().filter(|entry| entry.is_learned).collect();
    let weights: BTreeMap<&str, Vec<i64>> = entries
        .iter()
        .filter(|entry| entry.tensor.dim() > 1)
        .filter_map(|entry| Some((entry.name.strip_suffix(".weight")?, entry.tensor.size())))
        .collect();
    for entry in entries {
        let (layer, kind) = entry.name.rsplit_once('.').unwrap_or(("", &entry.name));
        // BatchNorm's weight has one axis.
        let Some(size) = weights.get(layer) else {
            continue;
        };
        let fan_in: i64 = size[1..].iter().product();
        let values = parameter(&entry.name, entry.tensor.numel(), kind, fan_in as f64);
        entry.set(&Tensor::from_slice(&values).view(&entry.tensor.size()[..]))?;
    }
    Ok(())
}

/// The first `rows` samples of the views that the step reads. Clips as the paper's (8 frames of 112 x 112, 80 bands in 200 columns) have colours and shapes, others are noise.
pub fn batch(work: &Pretrain, rows: usize) -> Result<Batch> {
    let mut views = BTreeMap::new();
    for step in work.steps.iter() {
        let Node::Batch { modality, view } = &step.node else {
            continue;
        };
        let shape = work
            .settings
            .modality(modality)
            .map(|of| networks::input(&of.clip));
        let name = format!("input.{modality}{view}");
        let values = match shape.as_deref() {
            Some([3, 8, 112, 112]) => video(&name, rows),
            Some([1, 80, 200]) => audio(&name, rows),
            // Others are noise.
            other => {
                let count = other.unwrap_or_default().iter().product::<u32>() as usize;
                let stream = Stream::new(&name);
                (0..rows * count).map(|i| stream.at(i) as f32).collect()
            }
        };
        let shape: Vec<i64> = shape.into_iter().flatten().map(i64::from).collect();
        let values = Tensor::from_slice(&values).view(&[&[rows as i64], &shape[..]].concat()[..]);
        views.insert((modality.clone(), *view), values);
    }
    Ok(Batch {
        views,
        keys: vec![],
        clips: Clips::default(),
        overlaps: Overlaps::default(),
        step: 0,
        waited: Duration::ZERO,
        queued: 0,
    })
}
