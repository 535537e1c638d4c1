//! The aural augmentations as one tensor program over a whole batch, on any device.

use super::super::cubic::{Crops, Warps};
use super::super::numbers::{Column, Numbers, Table};
use super::steps::{Mask, Step};
use tch::{Kind, Tensor};

/// The steps of each sample on a batch of them. The lists are equal but for what was drawn.
pub(super) fn apply(batch: Tensor, steps: &[Vec<Step>]) -> Tensor {
    let mut table = Table::default();
    let places = 0..steps.first().map_or(0, Vec::len);
    let work: Vec<Work> = places
        .map(|at| {
            let own: Vec<&Step> = steps.iter().map(|s| &s[at]).collect();
            Work::of(&own, &batch.size(), &mut table)
        })
        .collect();
    let numbers = table.on(batch.device());
    work.into_iter()
        .fold(batch, |batch, work| work.run(&batch, &numbers))
}

/// One step of all samples, its numbers in the table.
enum Work {
    Gain(Column),
    /// First and end of each mask, and the axis.
    Mask(Vec<[Column; 2]>, i64),
    RandomCrop {
        rows: Crops,
        columns: Crops,
    },
    TimeWarp(Warps),
}

impl Work {
    fn of(steps: &[&Step], shape: &[i64], table: &mut Table) -> Self {
        let axis = |from_last: usize| shape[shape.len() - 1 - from_last];
        let mut gains = Vec::new();
        let mut masks = Vec::new();
        let mut crops = Vec::new();
        let mut warps = Vec::new();
        for step in steps {
            match step {
                Step::Gain(gain) => gains.push(*gain),
                Step::FreqMask(own) | Step::TimeMask(own) => masks.push(&own[..]),
                Step::RandomCrop(crop) => crops.push(*crop),
                Step::TimeWarp(warp) => warps.push(*warp),
            }
        }
        match steps[0] {
            Step::Gain(_) => Work::Gain(table.push(gains)),
            Step::FreqMask(_) => Work::Mask(push_masks(&masks, table), 2),
            Step::TimeMask(_) => Work::Mask(push_masks(&masks, table), 3),
            Step::RandomCrop(_) => Work::RandomCrop {
                rows: Crops::push(table, axis(1), &crops, |c| (c.canvas.0, c.top, c.height)),
                columns: Crops::push(table, axis(0), &crops, |c| (c.canvas.1, c.left, c.width)),
            },
            Step::TimeWarp(_) => Work::TimeWarp(Warps::push(table, axis(0), &warps)),
        }
    }

    fn run(self, batch: &Tensor, numbers: &Numbers) -> Tensor {
        let axis = |from_last: usize| batch.size()[batch.dim() - 1 - from_last];
        match self {
            Work::Gain(gain) => batch * numbers.float(gain, 2),
            Work::Mask(masks, along) => mask(batch, &masks, along, numbers),
            Work::RandomCrop { rows, columns } => {
                let wide = batch.matmul(&columns.matrices(axis(0), numbers).transpose(-2, -1));
                rows.matrices(axis(1), numbers).matmul(&wide)
            }
            Work::TimeWarp(warps) => {
                batch.matmul(&warps.matrices(axis(0), numbers).transpose(-2, -1))
            }
        }
    }
}

fn push_masks(masks: &[&[Mask]], table: &mut Table) -> Vec<[Column; 2]> {
    let count = masks.first().map_or(0, |own| own.len());
    let of: [fn(&Mask) -> i64; 2] = [|m| m.start, |m| m.start + m.width];
    (0..count)
        .map(|at| of.map(|bound| table.push(masks.iter().map(|own| bound(&own[at]) as f64))))
        .collect()
}

/// Fills masked bands (axis 2) or columns (axis 3) with the mean of the spectrogram.
fn mask(batch: &Tensor, masks: &[[Column; 2]], along: i64, numbers: &Numbers) -> Tensor {
    let length = batch.size()[along as usize];
    let mut shape = [1; 4];
    shape[along as usize] = length;
    let at = Tensor::arange(length, (Kind::Float, batch.device())).view(shape);
    let inside = masks.iter().map(|bounds| {
        let [from, end] = bounds.map(|bound| numbers.float(bound, 4));
        at.ge_tensor(&from).logical_and(&at.lt_tensor(&end))
    });
    let Some(inside) = inside.reduce(|a, b| a.logical_or(&b)) else {
        return batch.shallow_clone();
    };
    let mean = batch.mean_dim([1i64, 2, 3].as_slice(), true, None);
    mean.where_self(&inside, batch)
}
