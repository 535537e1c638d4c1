//! The cubic filter with a = -0.75, not antialiased, along one axis of spectrograms: places and weights for one, matrices for a batch.
//!
//! Positions are rounded to f32 where torch rounds them: over 200 columns that is 1e-5 of a column.

use super::audio::{CanvasCrop, Warp};
use super::numbers::{Column, Numbers, Table};
use tch::{Kind, Tensor};

/// One value out of four: where they are, and their weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tap {
    /// Places of a line.
    pub places: [u32; 4],
    /// Of a place outside the line 0, wherever `places` says it is.
    pub weights: [f32; 4],
}

/// The values of a line of `length` places out of a crop of the canvas with the line in its middle, corners aligned: the first
/// and the last value are those of the crop.
pub(super) fn aligned(length: usize, canvas: i64, from: i64, crop: i64) -> Vec<Tap> {
    let from = from - (canvas - length as i64) / 2;
    let scale = aligned_scale(length as i64, crop);
    let position = |place: usize| scale * place as f32;
    (0..length)
        .map(|place| tap(position(place), from, crop, length))
        .collect()
}

/// The values of a line whose first `warp.from` places are stretched to `warp.to`, and the rest to the rest.
pub(super) fn stretched(length: usize, warp: Warp) -> Vec<Tap> {
    let whole = length as i64;
    let part = |from: i64, before: i64, after: i64| {
        let scale = before as f32 / after as f32;
        let position = move |place: i64| scale * (place as f32 + 0.5) - 0.5;
        (0..after).map(move |place| tap(position(place), from, before, length))
    };
    part(0, warp.from, warp.to)
        .chain(part(warp.from, whole - warp.from, whole - warp.to))
        .collect()
}

/// The filter at a position of a span that begins at `from`; what is beyond its ends repeats them.
fn tap(position: f32, from: i64, span: i64, length: usize) -> Tap {
    let base = position.floor();
    let weights = weights(position - base);
    let mut tap = Tap {
        places: [0; 4],
        weights: [0.0; 4],
    };
    for (at, weight) in (0i64..).zip(weights) {
        let place = from + (base as i64 + at - 1).clamp(0, span - 1);
        if (0..length as i64).contains(&place) {
            tap.places[at as usize] = place as u32;
            tap.weights[at as usize] = weight;
        }
    }
    tap
}

fn aligned_scale(length: i64, crop: i64) -> f32 {
    if length > 1 {
        (crop - 1) as f32 / (length - 1) as f32
    } else {
        0.0
    }
}

const A: f32 = -0.75;

/// The four weights for a position that lies `t` in 0..1 behind the second of four values.
fn weights(t: f32) -> [f32; 4] {
    let near = |x: f32| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
    let far = |x: f32| ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A;
    [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)]
}

/// Crops of a batch along one axis, as [`aligned`].
pub(super) struct Crops {
    from: Column,
    span: Column,
    scale: Column,
}

impl Crops {
    /// `of`: places of the canvas, the first of the crop, and how many.
    pub(super) fn push(
        table: &mut Table,
        length: i64,
        crops: &[CanvasCrop],
        of: impl Fn(&CanvasCrop) -> (i64, i64, i64),
    ) -> Self {
        let each: Vec<_> = crops.iter().map(of).collect();
        let from = |(canvas, from, _): &(i64, i64, i64)| (from - (canvas - length) / 2) as f64;
        Self {
            from: table.push(each.iter().map(from)),
            span: table.push(each.iter().map(|crop| crop.2 as f64)),
            scale: table.push(
                each.iter()
                    .map(|crop| f64::from(aligned_scale(length, crop.2))),
            ),
        }
    }

    /// `[B, 1, length, length]`.
    pub(super) fn matrices(&self, length: i64, numbers: &Numbers) -> Tensor {
        let place = line(length, [1, length, 1], numbers);
        let position = numbers.float(self.scale, 3) * place;
        let get = |column| numbers.float(column, 3);
        matrices(&position, &get(self.from), &get(self.span), length, numbers)
    }
}

/// Warps of a batch, as [`stretched`].
pub(super) struct Warps {
    from: Column,
    to: Column,
    scales: [Column; 2],
}

impl Warps {
    pub(super) fn push(table: &mut Table, length: i64, warps: &[Option<Warp>]) -> Self {
        let still = Warp {
            from: length,
            to: length,
        };
        let each: Vec<Warp> = warps.iter().map(|warp| warp.unwrap_or(still)).collect();
        let scale = |before: i64, after: i64| f64::from(before as f32 / after.max(1) as f32);
        Self {
            from: table.push(each.iter().map(|w| w.from as f64)),
            to: table.push(each.iter().map(|w| w.to as f64)),
            scales: [
                table.push(each.iter().map(|w| scale(w.from, w.to))),
                table.push(each.iter().map(|w| scale(length - w.from, length - w.to))),
            ],
        }
    }

    /// `[B, 1, length, length]`.
    pub(super) fn matrices(&self, length: i64, numbers: &Numbers) -> Tensor {
        let place = line(length, [1, length, 1], numbers);
        let (from, to) = (numbers.float(self.from, 3), numbers.float(self.to, 3));
        let is_first = place.lt_tensor(&to);
        let pick = |first: &Tensor, second: &Tensor| first.where_self(&is_first, second);
        let [left, right] = self.scales.map(|scale| numbers.float(scale, 3));
        let position = pick(&left, &right) * (pick(&place, &(&place - &to)) + 0.5) - 0.5;
        let begin = pick(&from.zeros_like(), &from);
        let span = pick(&from, &(-&from + length as f64));
        matrices(&position, &begin, &span, length, numbers)
    }
}

/// The filter at positions `[B, length, 1]` as matrices `[B, 1, length, length]`.
fn matrices(
    position: &Tensor,
    from: &Tensor,
    span: &Tensor,
    length: i64,
    numbers: &Numbers,
) -> Tensor {
    let base = position.floor();
    let t = position - &base;
    let a = f64::from(A);
    let near = |x: &Tensor| (x * (a + 2.0) - (a + 3.0)) * x * x + 1.0;
    let far = |x: &Tensor| ((x * a - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a;
    let weights = [
        far(&(&t + 1.0)),
        near(&t),
        near(&(-&t + 1.0)),
        far(&(-&t + 2.0)),
    ];
    let column = line(length, [1, 1, length], numbers);
    let last = span - 1.0;
    let tap = |(at, weight): (f64, &Tensor)| {
        let place = (&base + (at - 1.0)).clamp_min(0.0).minimum(&last) + from;
        column.eq_tensor(&place) * weight
    };
    let taps = [0.0, 1.0, 2.0, 3.0].into_iter().zip(&weights).map(tap);
    let sum = taps.reduce(|a, b| a + b);
    sum.unwrap_or_else(|| position.zeros_like()).unsqueeze(1)
}

fn line(length: i64, shape: [i64; 3], numbers: &Numbers) -> Tensor {
    Tensor::arange(length, (Kind::Float, numbers.device())).view(shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    /// The taps as rows of a matrix.
    fn rows(taps: &[Tap]) -> Vec<Vec<f32>> {
        let row = |tap: &Tap| {
            let mut row = vec![0.0; taps.len()];
            for (place, weight) in tap.places.iter().zip(tap.weights) {
                row[*place as usize] += weight;
            }
            row
        };
        taps.iter().map(row).collect()
    }

    #[test]
    fn the_filter_keeps_what_keeps_its_size_and_knows_what_is_outside() {
        let same = [[1.0, 0.0], [0.0, 1.0]];
        assert_eq!(rows(&aligned(2, 2, 0, 2)), same);
        assert_eq!(rows(&stretched(2, Warp { from: 2, to: 2 })), same);
        // A canvas of four, of which the line is the middle; the crop begins one place before it.
        let beside = rows(&aligned(2, 4, 0, 2));
        assert_eq!(beside, [[0.0, 0.0], [1.0, 0.0]]);
    }

    #[test]
    fn matrices_of_a_batch_hold_the_taps_of_each() {
        let length = 23;
        let crops = [
            (34, 0, 34),
            (34, 3, 14),
            (34, 20, 14),
            (23, 0, 23),
            (34, 7, 1),
        ];
        let crops = crops.map(|(canvas, left, width)| CanvasCrop {
            canvas: (1, canvas),
            top: 0,
            left,
            height: 1,
            width,
        });
        let warps = [(6, 1), (5, 9), (17, 17), (10, 20)].map(|(from, to)| Some(Warp { from, to }));
        let warps: Vec<_> = warps.into_iter().chain([None]).collect();
        let mut table = Table::default();
        let pushed = Crops::push(&mut table, length, &crops, |c| {
            (c.canvas.1, c.left, c.width)
        });
        let warped = Warps::push(&mut table, length, &warps);
        let numbers = table.on(Device::Cpu);
        let check = |matrices: Tensor, taps: &dyn Fn(usize) -> Vec<Tap>| {
            for at in 0..5 {
                let own: Vec<f32> = rows(&taps(at)).concat();
                let own = Tensor::from_slice(&own).view([length, length]);
                let apart = (own - matrices.get(at as i64).squeeze_dim(0)).abs().max();
                assert!(apart.double_value(&[]) < 1e-6, "{at}");
            }
        };
        check(pushed.matrices(length, &numbers), &|at| {
            let c = crops[at];
            aligned(length as usize, c.canvas.1, c.left, c.width)
        });
        let still = Warp { from: 23, to: 23 };
        check(warped.matrices(length, &numbers), &|at| {
            stretched(length as usize, warps[at].unwrap_or(still))
        });
    }
}
