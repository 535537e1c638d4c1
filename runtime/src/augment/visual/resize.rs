//! Crops of clips, resized by Pillow's bilinear filter: a triangle that widens as the frame shrinks, in whole levels.
//!
//! On the CPU each clip by torch's own program for bytes, which does what Pillow does: weights in whole steps, across first,
//! rounded, then down. A batch on a GPU by products with matrices of the same weights. All sums in them are whole numbers that f32
//! holds, so the two agree bit for bit; only where a frame shrinks to less than a quarter the last bits can be lost.

use super::super::numbers::{Column, Numbers, Table, bit};
use super::steps::Crop;
use tch::{Device, Kind, Tensor};

/// Bytes that the pixels of a group of clips may take on the device.
const GROUP: i64 = 1 << 30;
/// Bytes of a pixel there: where it lies, its levels before and after they are put in order, and as f32.
const PIXEL: i64 = 8 + 3 + 3 + 12;

/// What of a clip is shown: the crop is resized to `out`, of which a square is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit {
    /// The part of the frame that is resized.
    pub crop: Crop,
    /// Rows and columns that it is resized to.
    pub out: (i64, i64),
    /// First row and column of those that are kept.
    pub first: (i64, i64),
    /// Whether the result is mirrored left to right.
    pub flip: bool,
}

impl Fit {
    /// The crop, as large as the view.
    pub fn crop(crop: Crop, size: u32) -> Self {
        let side = i64::from(size);
        Self {
            crop,
            out: (side, side),
            first: (0, 0),
            flip: false,
        }
    }

    /// The whole frame with its shorter side resized to `size / 0.875`, of that the centre.
    pub fn centre(height: i64, width: i64, size: u32) -> Self {
        let short = (f64::from(size) / 0.875) as i64;
        let shorter = height.min(width).max(1);
        let out = (short * height / shorter, short * width / shorter);
        let first =
            |length: i64| ((length - i64::from(size)) as f64 / 2.0).round_ties_even() as i64;
        Self {
            crop: Crop {
                top: 0,
                left: 0,
                height,
                width,
            },
            out,
            first: (first(out.0), first(out.1)),
            flip: false,
        }
    }
}

/// One clip, u8 `[T, H, W, 3]` on the CPU: u8 `[T, size, size, 3]`, not yet mirrored.
pub(super) fn resize_one(clip: &Tensor, fit: &Fit, size: u32) -> Tensor {
    let side = i64::from(size);
    clip.narrow(1, fit.crop.top, fit.crop.height)
        .narrow(2, fit.crop.left, fit.crop.width)
        .permute([0, 3, 1, 2])
        .internal_upsample_bilinear2d_aa([fit.out.0, fit.out.1], false, None, None)
        .narrow(2, fit.first.0, side)
        .narrow(3, fit.first.1, side)
        .permute([0, 2, 3, 1])
        .contiguous()
}

/// How many clips may be resized at once on a device: each takes the height of the highest crop and the width of the widest.
pub(super) fn group<'a>(fits: impl Iterator<Item = &'a Fit>, frames: i64) -> usize {
    let (height, width) = fits.fold((1, 1), |(height, width), fit| {
        (fit.crop.height.max(height), fit.crop.width.max(width))
    });
    (GROUP / (PIXEL * frames.max(1) * height * width)).max(1) as usize
}

/// The resizing of a batch, its numbers in a table.
pub(super) struct Resize {
    /// The first pixel of each clip among those of all.
    start: Column,
    /// Height and width of each clip.
    own: [Column; 2],
    /// First row and column of each crop.
    from: [Column; 2],
    down: Axis,
    across: Axis,
    batch: i64,
    frames: i64,
    side: i64,
}

impl Resize {
    /// `shapes`: frames, height and width of each clip; as many frames for all.
    pub(super) fn push(table: &mut Table, shapes: &[[i64; 3]], fits: &[Fit], size: u32) -> Self {
        let starts = shapes.iter().scan(0, |start, shape| {
            let own = *start;
            *start += shape.iter().product::<i64>();
            Some(own as f64)
        });
        Self {
            start: table.push(starts),
            own: [1, 2].map(|axis| table.push(shapes.iter().map(|shape| shape[axis] as f64))),
            from: [
                table.push(fits.iter().map(|f| f.crop.top as f64)),
                table.push(fits.iter().map(|f| f.crop.left as f64)),
            ],
            down: Axis::push(table, fits, |f| (f.crop.height, f.out.0, f.first.0, false)),
            across: Axis::push(table, fits, |f| (f.crop.width, f.out.1, f.first.1, f.flip)),
            batch: shapes.len() as i64,
            frames: shapes.first().map_or(0, |shape| shape[0]),
            side: i64::from(size),
        }
    }

    /// The pixels of all clips one after the other, u8 `[N, 3]`: f32 `[B, 3, T, size, size]` in whole levels.
    pub(super) fn run(&self, pixels: &Tensor, numbers: &Numbers) -> Tensor {
        let (batch, frames, side) = (self.batch, self.frames, self.side);
        let device = pixels.device();
        // The pixels of all crops, each in the corner of as large a frame as the largest needs: [B, H, T, W, 3].
        let whole = |column| numbers.get(column, 4).to_kind(Kind::Int64);
        let line = |length: i64, shape: [i64; 4]| {
            Tensor::arange(length, (Kind::Int64, device)).view(shape)
        };
        let last = |axis: usize| whole(self.own[axis]) - 1;
        let (rows, columns) = (self.down.longest, self.across.longest);
        let row = (line(rows, [1, rows, 1, 1]) + whole(self.from[0])).minimum(&last(0));
        let column = (line(columns, [1, 1, 1, columns]) + whole(self.from[1])).minimum(&last(1));
        let frame = line(frames, [1, 1, frames, 1]) * whole(self.own[0]) + row;
        let place = frame * whole(self.own[1]) + column + whole(self.start);
        let crops = pixels
            .index_select(0, &place.view(-1))
            .view([batch, rows, frames, columns, 3])
            .transpose(3, 4)
            .contiguous()
            .to_kind(Kind::Float);

        let across = self.across.matrices(numbers, side, device).transpose(1, 2);
        let narrowed = crops.view([batch, rows * frames * 3, columns]).bmm(&across);
        let narrowed = nearest(narrowed).view([batch, rows, frames * 3 * side]);
        let resized = nearest(self.down.matrices(numbers, side, device).bmm(&narrowed));
        resized
            .view([batch, side, frames, 3, side])
            .permute([0, 3, 2, 1, 4])
            .contiguous()
    }
}

fn nearest(levels: Tensor) -> Tensor {
    (levels + 0.5).floor_().clamp_(0.0, 255.0)
}

/// One axis of the resizing of a batch.
struct Axis {
    length: Column,
    scale: Column,
    first: Column,
    steps: Column,
    flip: Column,
    longest: i64,
}

impl Axis {
    /// `of`: pixels of the crop, pixels of the result, the first that is kept, whether it is mirrored.
    fn push(table: &mut Table, fits: &[Fit], of: impl Fn(&Fit) -> (i64, i64, i64, bool)) -> Self {
        let each: Vec<_> = fits.iter().map(of).collect();
        let scale = |(length, out, ..): &(i64, i64, i64, bool)| *length as f64 / *out as f64;
        Self {
            length: table.push(each.iter().map(|a| a.0 as f64)),
            scale: table.push(each.iter().map(scale)),
            first: table.push(each.iter().map(|a| a.2 as f64)),
            steps: table.push(each.iter().map(|a| weight_steps(a.0, a.1))),
            flip: table.push(each.iter().map(|a| bit(a.3))),
            longest: each.iter().map(|a| a.0).max().unwrap_or(0),
        }
    }

    /// The weights of each sample, `[B, side, longest]`, f32. In f64 until they are whole steps.
    fn matrices(&self, numbers: &Numbers, side: i64, device: Device) -> Tensor {
        let get = |column| numbers.get(column, 3);
        let place = Tensor::arange(side, (Kind::Double, device)).view([1, side, 1]);
        let mirrored = -&place + (side - 1) as f64;
        let place = mirrored.where_self(&numbers.chosen(self.flip, 3), &place) + get(self.first);
        let scale = get(self.scale);
        let centre = (place + 0.5) * &scale;
        let support = scale.clamp_min(1.0);
        let begin = (&centre - &support + 0.5).trunc().clamp_min(0.0);
        let end = (&centre + &support + 0.5)
            .trunc()
            .minimum(&get(self.length));
        let pixel = Tensor::arange(self.longest, (Kind::Double, device)).view([1, 1, self.longest]);
        let inside = pixel.ge_tensor(&begin).logical_and(&pixel.lt_tensor(&end));
        let distance = (pixel - centre + 0.5) * support.reciprocal();
        let weights = (-distance.abs() + 1.0).clamp_min(0.0) * inside;
        let sum = weights.sum_dim_intlist([2i64].as_slice(), true, None);
        let steps = get(self.steps);
        let weights = (weights / sum * &steps + 0.5).trunc() / steps;
        weights.to_kind(Kind::Float)
    }
}

/// How many steps of a weight make 1: the largest power of two with which all weights of an axis are less than 2^15 steps.
fn weight_steps(length: i64, out: i64) -> f64 {
    let scale = length as f64 / out as f64;
    let support = scale.max(1.0);
    let largest = (0..out)
        .map(|place| {
            let centre = scale * (place as f64 + 0.5);
            let begin = ((centre - support + 0.5) as i64).max(0);
            let end = ((centre + support + 0.5) as i64).min(length);
            let weight =
                |pixel: i64| (1.0 - ((pixel as f64 - centre + 0.5) / support).abs()).max(0.0);
            let weights = (begin..end).map(weight);
            let sum: f64 = weights.clone().sum();
            weights.fold(0.0, f64::max) / sum
        })
        .fold(0.0, f64::max);
    let bits =
        (0..22).find(|bits| (0.5 + largest * f64::from(1u32 << (bits + 1))) as i64 >= 1 << 15);
    f64::from(1u32 << bits.unwrap_or(22))
}
