//! The visual augmentations as one tensor program over a whole batch, on any device.
//!
//! Every kernel works on all samples; what differs between them is in numbers that come to the device in one copy. Samples that a
//! link leaves alone go through it with numbers that change nothing.

use super::super::colour::{Blends, grey, jitter, whole_grey};
use super::super::numbers::{Column, Numbers, Table, bit};
use super::resize::{Fit, Resize, group};
use super::steps::{Blur, Square, Step};
use super::{LEVEL_MEAN, LEVEL_STD};
use compiler::hir::{Fill, Levels};
use tch::{Device, Kind, Tensor};

/// What the plans say of clips, u8 `[T, H, W, 3]` with one T, on any device: f32 `[B, 3, T, size, size]`.
pub(super) fn augment(clips: &[Tensor], plans: &[(Fit, Vec<Step>)], size: u32) -> Tensor {
    let frames = clips.first().map_or(0, |clip| clip.size()[0]);
    let group = group(plans.iter().map(|plan| &plan.0), frames);
    let parts: Vec<Tensor> = clips
        .chunks(group)
        .zip(plans.chunks(group))
        .map(|(clips, plans)| augment_group(clips, plans, size))
        .collect();
    match &parts[..] {
        [one] => one.shallow_clone(),
        parts => Tensor::cat(parts, 0),
    }
}

fn augment_group(clips: &[Tensor], plans: &[(Fit, Vec<Step>)], size: u32) -> Tensor {
    let (fits, steps): (Vec<Fit>, Vec<Vec<Step>>) = plans.iter().cloned().unzip();
    let shape = |clip: &Tensor| [0, 1, 2].map(|axis| clip.size()[axis]);
    let shapes: Vec<[i64; 3]> = clips.iter().map(shape).collect();
    let flat: Vec<Tensor> = clips.iter().map(|clip| clip.reshape([-1, 3])).collect();
    let mut table = Table::default();
    let resize = Resize::push(&mut table, &shapes, &fits, size);
    let side = i64::from(size);
    let work = work(&steps, [shapes[0][0], side, side], &mut table);
    let numbers = table.on(clips[0].device());
    let batch = resize.run(&Tensor::cat(&flat, 0), &numbers);
    work.into_iter()
        .fold(batch, |batch, work| work.run(batch, &numbers))
}

/// The steps of each clip on a batch of them, f32 `[B, 3, T, H, W]`. The lists are equal but for what was drawn.
pub(super) fn apply(batch: Tensor, steps: &[Vec<Step>]) -> Tensor {
    let [.., frames, height, width] = batch.size()[..] else {
        unreachable!("a batch is [B, C, T, H, W]")
    };
    let mut table = Table::default();
    let work = work(steps, [frames, height, width], &mut table);
    let numbers = table.on(batch.device());
    work.into_iter()
        .fold(batch, |batch, work| work.run(batch, &numbers))
}

/// The steps with their numbers in the table. `shape`: frames, height and width.
fn work(steps: &[Vec<Step>], shape: [i64; 3], table: &mut Table) -> Vec<Work> {
    let places = 0..steps.first().map_or(0, Vec::len);
    let at = |at: usize| {
        let own: Vec<&Step> = steps.iter().map(|steps| &steps[at]).collect();
        Work::of(&own, shape, table)
    };
    places.map(at).collect()
}

/// One step of all clips, its numbers on the table.
enum Work {
    Nothing,
    Crop(Resize),
    Flip(Column),
    Jitter(Blends),
    Grey(Column, Levels),
    Blur {
        kernel: usize,
        chosen: Column,
        across: Gaussians,
        down: Gaussians,
        levels: Levels,
    },
    Cutout(Vec<[Column; 4]>, Fill),
    Normalise(Channels),
    Denormalise(Channels),
}

/// Mean and standard deviation of the channels in levels, or what they are divided by.
struct Channels {
    mean: [Column; 3],
    scale: [Column; 3],
}

/// Sigma of each clip's kernel, and the sum of its weights.
struct Gaussians {
    sigma: Column,
    sum: Column,
}

impl Work {
    fn of(steps: &[&Step], shape: [i64; 3], table: &mut Table) -> Self {
        let mut constants = |values: [f64; 3]| values.map(|v| table.push(steps.iter().map(|_| v)));
        let mut channels = |scale| Channels {
            mean: constants(LEVEL_MEAN),
            scale: constants(scale),
        };
        match steps[0] {
            Step::Crop(_) => {
                let mut crops = Vec::new();
                for step in steps {
                    if let Step::Crop(crop) = step {
                        crops.push(Fit::crop(*crop, shape[2] as u32));
                    }
                }
                let shapes = vec![shape; crops.len()];
                Work::Crop(Resize::push(table, &shapes, &crops, shape[2] as u32))
            }
            Step::Flip(_) => {
                let chosen = |step: &&&Step| matches!(step, Step::Flip(true));
                if !steps.iter().any(|step| chosen(&step)) {
                    return Work::Nothing;
                }
                Work::Flip(table.push(steps.iter().map(|step| bit(chosen(&step)))))
            }
            Step::Jitter(_) => {
                let mut jitters = Vec::new();
                for step in steps {
                    if let Step::Jitter(jitter) = step {
                        jitters.push(*jitter);
                    }
                }
                Work::Jitter(Blends::push(&jitters, table))
            }
            Step::Grey(_, levels) => {
                let chosen = |step: &&&Step| matches!(step, Step::Grey(true, _));
                if !steps.iter().any(|step| chosen(&step)) {
                    return Work::Nothing;
                }
                let chosen = table.push(steps.iter().map(|step| bit(chosen(&step))));
                Work::Grey(chosen, *levels)
            }
            Step::Blur(kernel, _, levels) => {
                let mut blurs = Vec::new();
                for step in steps {
                    if let Step::Blur(_, blur, _) = step {
                        blurs.push(*blur);
                    }
                }
                if blurs.iter().all(Option::is_none) {
                    return Work::Nothing;
                }
                let mut gaussians = |sigma: fn(&Blur) -> f64| {
                    let sigmas = blurs.iter().map(|b| b.as_ref().map_or(0.0, sigma));
                    // As quotients: a sigma of 0 would make the middle weight NaN, and one this small leaves the line as it is.
                    let sigmas: Vec<f64> = sigmas.map(|s| s.max(f64::MIN_POSITIVE)).collect();
                    let radius = (*kernel / 2) as i64;
                    let sum = |s: &f64| (-radius..=radius).map(|x| super::gaussian(x, *s)).sum();
                    let sums: Vec<f64> = sigmas.iter().map(sum).collect();
                    Gaussians {
                        sigma: table.push(sigmas),
                        sum: table.push(sums),
                    }
                };
                Work::Blur {
                    kernel: *kernel,
                    across: gaussians(|b| b.sigma_x),
                    down: gaussians(|b| b.sigma_y),
                    chosen: table.push(blurs.iter().map(|b| bit(b.is_some()))),
                    levels: *levels,
                }
            }
            Step::Cutout(first, fill) => {
                let mut all = Vec::new();
                for step in steps {
                    if let Step::Cutout(squares, _) = step {
                        all.push(squares);
                    }
                }
                let square = |number: usize, bound: fn(&Square) -> i64| {
                    all.iter()
                        .map(move |squares| bound(&squares[number]) as f64)
                };
                let bounds: [fn(&Square) -> i64; 4] =
                    [|s| s.rows.0, |s| s.rows.1, |s| s.columns.0, |s| s.columns.1];
                let squares = (0..first.len())
                    .map(|number| bounds.map(|bound| table.push(square(number, bound))));
                Work::Cutout(squares.collect(), *fill)
            }
            Step::Normalise => Work::Normalise(channels(LEVEL_STD.map(f64::recip))),
            Step::Denormalise => Work::Denormalise(channels(LEVEL_STD)),
        }
    }

    fn run(self, batch: Tensor, numbers: &Numbers) -> Tensor {
        match self {
            Work::Nothing => batch,
            Work::Crop(resize) => {
                let clips = batch.round().to_kind(Kind::Uint8).permute([0, 2, 3, 4, 1]);
                resize.run(&clips.reshape([-1, 3]), numbers)
            }
            Work::Flip(chosen) => batch
                .flip([4])
                .where_self(&numbers.chosen(chosen, 5), &batch),
            Work::Jitter(blends) => jitter(&batch, &blends, numbers),
            Work::Grey(chosen, levels) => {
                let grey = match levels {
                    Levels::Exact => grey(&batch),
                    Levels::Whole => whole_grey(&batch),
                };
                grey.where_self(&numbers.chosen(chosen, 5), &batch)
            }
            Work::Blur {
                kernel,
                chosen,
                across,
                down,
                levels,
            } => {
                let [.., height, width] = batch.size()[..] else {
                    unreachable!("a batch is [B, C, T, H, W]")
                };
                let device = batch.device();
                let down = down.matrices(kernel, height, numbers, device);
                let across = across.matrices(kernel, width, numbers, device);
                let blurred = down.matmul(&batch).matmul(&across.transpose(-2, -1));
                match levels {
                    Levels::Exact => blurred,
                    // A whole level that f32 leaves a hair below itself is still that level.
                    Levels::Whole => (blurred + 1e-3)
                        .floor_()
                        .where_self(&numbers.chosen(chosen, 5), &batch),
                }
            }
            Work::Cutout(squares, fill) => cutout(batch, &squares, fill, numbers),
            Work::Normalise(of) => (batch - joined(of.mean, numbers)) * joined(of.scale, numbers),
            Work::Denormalise(of) => batch * joined(of.scale, numbers) + joined(of.mean, numbers),
        }
    }
}

/// Numbers of the three channels, `[B, 3, 1, 1, 1]`.
fn joined(columns: [Column; 3], numbers: &Numbers) -> Tensor {
    Tensor::cat(&columns.map(|column| numbers.float(column, 5)), 1)
}

impl Gaussians {
    /// Each clip's kernel as a matrix, mirrored at the ends, the end itself not repeated: `[B, 1, 1, length, length]`, f32.
    fn matrices(&self, kernel: usize, length: i64, numbers: &Numbers, device: Device) -> Tensor {
        let line = |shape: [i64; 3]| Tensor::arange(length, (Kind::Double, device)).view(shape);
        let (row, column) = (line([1, length, 1]), line([1, 1, length]));
        let sigma = numbers.get(self.sigma, 3);
        let weight = |distance: Tensor, valid: Tensor| {
            let near = distance.le((kernel / 2) as f64).logical_and(&valid);
            ((distance / &sigma).square() * -0.5).exp() * near
        };
        let last = (length - 1) as f64;
        let inner = weight((&row - &column).abs(), column.ge(0.0));
        let first = weight(&row + &column, column.gt(0.0));
        let behind = weight(-(&row + &column) + 2.0 * last, column.lt(last));
        ((inner + first + behind) / numbers.get(self.sum, 3))
            .to_kind(Kind::Float)
            .view([-1, 1, 1, length, length])
    }
}

/// C: cuts squares out of normalised clips, at the same place in all frames.
fn cutout(clips: Tensor, squares: &[[Column; 4]], fill: Fill, numbers: &Numbers) -> Tensor {
    let [.., height, width] = clips.size()[..] else {
        unreachable!("a batch is [B, C, T, H, W]")
    };
    let device = clips.device();
    let inside = |length: i64, shape: [i64; 5], from: Column, to: Column| {
        let at = Tensor::arange(length, (Kind::Float, device)).view(shape);
        at.ge_tensor(&numbers.float(from, 5))
            .logical_and(&at.lt_tensor(&numbers.float(to, 5)))
    };
    let cut = squares.iter().map(|[top, bottom, left, right]| {
        let rows = inside(height, [1, 1, 1, height, 1], *top, *bottom);
        rows.logical_and(&inside(width, [1, 1, 1, 1, width], *left, *right))
    });
    let Some(cut) = cut.reduce(|a, b| a.logical_or(&b)) else {
        return clips;
    };
    let mean = clips
        .narrow(2, 0, 1)
        .mean_dim([1i64, 2, 3, 4].as_slice(), true, None);
    let filled = match fill {
        Fill::FirstFrameMean => mean,
        Fill::TimesFirstFrameMean => &clips * mean,
    };
    filled.where_self(&cut, &clips)
}
