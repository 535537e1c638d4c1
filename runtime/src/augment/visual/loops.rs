//! The visual augmentations as loops over the frames of one clip in memory, for the CPU.
//!
//! All links of a frame are done before the next frame, so a frame stays in the cache. The loops are compiled for several kinds of
//! processors, of which the one at hand is found at run time; none of them fuses products and sums, so all give the same bits.

use super::super::colour::{Jitter, Operation, hue_steps};
use super::super::lanes::sum;
use super::super::mirror;
use super::resize::{Fit, resize_one};
use super::steps::{Square, Step};
use super::{LEVEL_MEAN, LEVEL_STD, gaussian};
use compiler::hir::{Fill, Levels};
use multiversion::multiversion;
use tch::Tensor;

/// Weights of a blur below this share of the middle are nothing to f32.
const NOTHING: f64 = 1e-9;

/// The frames of one clip: `[3, T, H, W]`.
pub(super) struct Frames<'a> {
    values: &'a mut [f32],
    height: usize,
    width: usize,
    /// Whether all values are whole levels.
    whole: bool,
}

impl<'a> Frames<'a> {
    /// Frames as they lie in `values`, of which nothing is known.
    pub(super) fn new(values: &'a mut [f32], height: usize, width: usize) -> Self {
        Self {
            values,
            height,
            width,
            whole: false,
        }
    }

    /// The frames of a clip, u8 `[T, H, W, 3]`, as `fit` says.
    pub(super) fn load(
        values: &'a mut [f32],
        clip: &Tensor,
        fit: &Fit,
        size: u32,
        bytes: &mut Vec<u8>,
    ) -> Self {
        let resized = resize_one(clip, fit, size);
        bytes.resize(resized.numel(), 0);
        resized.copy_data(bytes, resized.numel());
        let side = size as usize;
        spread(bytes, values, side, fit.flip);
        Self {
            values,
            height: side,
            width: side,
            whole: true,
        }
    }

    /// The three planes of each frame.
    fn planes(&mut self) -> impl Iterator<Item = [&mut [f32]; 3]> {
        let area = self.height * self.width;
        let channel = self.values.len() / 3;
        let (red, rest) = self.values.split_at_mut(channel);
        let (green, blue) = rest.split_at_mut(channel);
        let both = red.chunks_exact_mut(area).zip(green.chunks_exact_mut(area));
        let all = both.zip(blue.chunks_exact_mut(area));
        all.map(|((r, g), b)| [r, g, b])
    }

    /// Does the steps in their order. `scratch` is of any length.
    pub(super) fn apply(&mut self, steps: &[Step], scratch: &mut Vec<f32>) {
        let of_a_frame = |step: &Step| !matches!(step, Step::Crop(_) | Step::Cutout(..));
        for steps in steps.chunk_by(|a, b| of_a_frame(a) && of_a_frame(b)) {
            match &steps[0] {
                Step::Crop(crop) => self.crop(Fit::crop(*crop, self.width as u32)),
                Step::Cutout(squares, fill) => self.cutout(squares, *fill),
                Step::Flip(_)
                | Step::Jitter(_)
                | Step::Grey(..)
                | Step::Blur(..)
                | Step::Normalise
                | Step::Denormalise => {
                    let (width, before) = (self.width, self.whole);
                    for planes in self.planes() {
                        do_steps(planes, width, before, steps, scratch);
                    }
                    self.whole = steps.iter().fold(before, leaves_whole);
                }
            }
        }
    }

    fn crop(&mut self, fit: Fit) {
        let (height, width) = (self.height as i64, self.width as i64);
        let clip = Tensor::from_slice(self.values)
            .view([3, -1, height, width])
            .round()
            .to_kind(tch::Kind::Uint8)
            .permute([1, 2, 3, 0])
            .contiguous();
        let resized = resize_one(&clip, &fit, self.width as u32);
        let mut bytes = vec![0; resized.numel()];
        resized.copy_data(&mut bytes, resized.numel());
        spread(&bytes, self.values, self.width, false);
        self.whole = true;
    }

    fn cutout(&mut self, squares: &[Square], fill: Fill) {
        if squares.is_empty() {
            return;
        }
        let width = self.width;
        let first = self.planes().next();
        let mean = first.map_or(0.0, |planes| {
            let count = (3 * planes[0].len()) as f64;
            planes.iter().map(|plane| sum(plane)).sum::<f64>() / count
        }) as f32;
        let area = self.height * width;
        for frame in self.values.chunks_exact_mut(area) {
            // A pixel in two squares is cut out once.
            for (y, row) in frame.chunks_exact_mut(width).enumerate() {
                let is_in = |(from, to): (i64, i64), at: usize| (from..to).contains(&(at as i64));
                let mut done = 0;
                let mut spans: Vec<(usize, usize)> = squares
                    .iter()
                    .filter(|s| is_in(s.rows, y))
                    .map(|s| (s.columns.0 as usize, s.columns.1.max(s.columns.0) as usize))
                    .collect();
                spans.sort_unstable();
                for (from, to) in spans {
                    for value in &mut row[from.max(done)..to.max(done)] {
                        *value = match fill {
                            Fill::FirstFrameMean => mean,
                            Fill::TimesFirstFrameMean => *value * mean,
                        };
                    }
                    done = done.max(to);
                }
            }
        }
    }
}

/// Whether whole levels are left, if they were `before`.
fn leaves_whole(before: bool, step: &Step) -> bool {
    match step {
        Step::Flip(_)
        | Step::Grey(false, _)
        | Step::Grey(_, Levels::Whole)
        | Step::Blur(_, None, _) => before,
        Step::Crop(_) | Step::Jitter(_) | Step::Blur(_, Some(_), Levels::Whole) => true,
        Step::Grey(true, Levels::Exact)
        | Step::Blur(_, Some(_), Levels::Exact)
        | Step::Cutout(..)
        | Step::Normalise
        | Step::Denormalise => false,
    }
}

/// Bytes `[T, H, W, 3]` to planes `[3, T, H, W]`, mirrored left to right where `flip`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn spread(bytes: &[u8], planes: &mut [f32], width: usize, flip: bool) {
    let channel = planes.len() / 3;
    let (red, rest) = planes.split_at_mut(channel);
    let (green, blue) = rest.split_at_mut(channel);
    let rows = red
        .chunks_exact_mut(width)
        .zip(green.chunks_exact_mut(width));
    let rows = rows.zip(blue.chunks_exact_mut(width));
    for (((red, green), blue), pixels) in rows.zip(bytes.chunks_exact(3 * width)) {
        let values = red.iter_mut().zip(green.iter_mut()).zip(blue.iter_mut());
        for (((r, g), b), pixel) in values.zip(pixels.chunks_exact(3)) {
            *r = f32::from(pixel[0]);
            *g = f32::from(pixel[1]);
            *b = f32::from(pixel[2]);
        }
        if flip {
            red.reverse();
            green.reverse();
            blue.reverse();
        }
    }
}

/// The steps on one frame, none of which needs another frame.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn do_steps(
    planes: [&mut [f32]; 3],
    width: usize,
    whole: bool,
    steps: &[Step],
    scratch: &mut Vec<f32>,
) {
    let [red, green, blue] = planes;
    let mut whole = whole;
    for step in steps {
        match step {
            Step::Flip(false) | Step::Grey(false, _) | Step::Blur(_, None, _) => {}
            Step::Flip(true) => {
                for plane in [&mut *red, green, blue] {
                    plane.chunks_exact_mut(width).for_each(<[f32]>::reverse);
                }
            }
            Step::Jitter(jitter) => {
                if !whole {
                    for plane in [&mut *red, green, blue] {
                        plane.iter_mut().for_each(|v| *v = v.round_ties_even());
                    }
                }
                do_jitter(red, green, blue, jitter);
            }
            Step::Grey(true, levels) => {
                let rounds = matches!(levels, Levels::Whole);
                for ((r, g), b) in red.iter_mut().zip(green.iter_mut()).zip(blue.iter_mut()) {
                    let grey = grey(*r, *g, *b);
                    let grey = if rounds { (grey + 0.5).floor() } else { grey };
                    (*r, *g, *b) = (grey, grey, grey);
                }
            }
            Step::Blur(kernel, Some(blur), levels) => {
                let down = Taps::new(*kernel, blur.sigma_y);
                let across = Taps::new(*kernel, blur.sigma_x);
                for plane in [&mut *red, green, blue] {
                    blur_down(plane, width, &down, scratch);
                    blur_across(plane, width, &across, scratch);
                    if matches!(levels, Levels::Whole) {
                        // A whole level that f32 leaves a hair below itself is still that level.
                        plane.iter_mut().for_each(|v| *v = (*v + 1e-3).floor());
                    }
                }
            }
            Step::Normalise => {
                for (plane, (mean, std)) in [&mut *red, green, blue]
                    .into_iter()
                    .zip(LEVEL_MEAN.into_iter().zip(LEVEL_STD))
                {
                    let (mean, scale) = (mean as f32, (1.0 / std) as f32);
                    plane.iter_mut().for_each(|v| *v = (*v - mean) * scale);
                }
            }
            Step::Denormalise => {
                for (plane, (mean, std)) in [&mut *red, green, blue]
                    .into_iter()
                    .zip(LEVEL_MEAN.into_iter().zip(LEVEL_STD))
                {
                    let (mean, scale) = (mean as f32, std as f32);
                    plane.iter_mut().for_each(|v| *v = *v * scale + mean);
                }
            }
            Step::Crop(_) | Step::Cutout(..) => {
                unreachable!("Frames::apply: steps of a whole clip")
            }
        }
        whole = leaves_whole(whole, step);
    }
}

#[inline(always)]
fn do_jitter(red: &mut [f32], green: &mut [f32], blue: &mut [f32], jitter: &Jitter) {
    for operation in jitter.order {
        let Some(amount) = jitter.amount(operation) else {
            continue;
        };
        let factor = amount as f32;
        match operation {
            Operation::Brightness => {
                for plane in [&mut *red, &mut *green, &mut *blue] {
                    plane.iter_mut().for_each(|v| *v = level(*v * factor));
                }
            }
            Operation::Contrast => {
                let mut sum = 0.0;
                for ((r, g), b) in red
                    .chunks(4096)
                    .zip(green.chunks(4096))
                    .zip(blue.chunks(4096))
                {
                    let mut sums = [0.0f32; 16];
                    let chunks = r
                        .chunks_exact(16)
                        .zip(g.chunks_exact(16))
                        .zip(b.chunks_exact(16));
                    for ((r, g), b) in chunks {
                        for i in 0..16 {
                            sums[i] += (grey(r[i], g[i], b[i]) + 0.5).floor();
                        }
                    }
                    let rest = r.len() - r.len() % 16;
                    for i in rest..r.len() {
                        sums[0] += (grey(r[i], g[i], b[i]) + 0.5).floor();
                    }
                    sum += f64::from(sums.iter().sum::<f32>());
                }
                let pivot = (sum / red.len() as f64 + 0.5).floor() as f32;
                for plane in [&mut *red, &mut *green, &mut *blue] {
                    plane
                        .iter_mut()
                        .for_each(|v| *v = level((*v - pivot) * factor + pivot));
                }
            }
            Operation::Saturation => {
                for ((r, g), b) in red.iter_mut().zip(green.iter_mut()).zip(blue.iter_mut()) {
                    let grey = (grey(*r, *g, *b) + 0.5).floor();
                    *r = level((*r - grey) * factor + grey);
                    *g = level((*g - grey) * factor + grey);
                    *b = level((*b - grey) * factor + grey);
                }
            }
            Operation::Hue => {
                let steps = hue_steps(amount) as f32;
                for ((r, g), b) in red.iter_mut().zip(green.iter_mut()).zip(blue.iter_mut()) {
                    (*r, *g, *b) = rotate(*r, *g, *b, steps);
                }
            }
        }
    }
}

/// Luma of ITU-R 601 with Pillow's weights.
#[inline(always)]
fn grey(r: f32, g: f32, b: f32) -> f32 {
    (r * 19595.0 + g * 38470.0 + b * 7471.0) * (1.0 / 65536.0)
}

/// Cut off to a whole level, then to the range.
#[inline(always)]
fn level(value: f32) -> f32 {
    value.floor().clamp(0.0, 255.0)
}

/// Adds steps of 1/255 turn to the hue; see `colour::rotate_hue`, of which this is one pixel.
#[inline(always)]
fn rotate(r: f32, g: f32, b: f32, steps: f32) -> (f32, f32, f32) {
    let value = r.max(g).max(b);
    let chroma = value - r.min(g).min(b);
    let divisor = chroma.max(1.0);
    let [red, green, blue] = [r, g, b].map(|v| f64::from((value - v) / divisor));
    let sixths = if r == value {
        blue - green
    } else if g == value {
        red - blue + 2.0
    } else {
        green - red + 4.0
    };
    let turns = f64::from(sixths as f32) / 6.0 + 1.0;
    let hue = ((turns - turns.trunc()) as f32 * 255.0).floor();
    let saturation = (chroma * 255.0 / value.max(1.0)).floor();
    let hue = modulo(hue + steps, 256.0) * (6.0 / 255.0);
    let grey = value * saturation / 255.0;
    let channel = |n: f32| {
        let k = modulo(hue + n, 6.0);
        let share = k.min(4.0 - k).clamp(0.0, 1.0);
        (value - share * grey + 0.5).floor()
    };
    (channel(5.0), channel(3.0), channel(1.0))
}

#[inline(always)]
fn modulo(value: f32, divisor: f32) -> f32 {
    value - (value * (1.0 / divisor)).floor() * divisor
}

/// The weights of a Gaussian kernel from the middle outwards.
struct Taps(Vec<f32>);

impl Taps {
    fn new(kernel: usize, sigma: f64) -> Self {
        let radius = (kernel / 2) as i64;
        let sigma = sigma.max(f64::MIN_POSITIVE);
        let sum: f64 = (-radius..=radius).map(|x| gaussian(x, sigma)).sum();
        let near = (0..=radius)
            .map(|x| gaussian(x, sigma))
            .take_while(|w| *w >= NOTHING);
        Self(near.map(|w| (w / sum) as f32).collect())
    }
}

#[inline(always)]
fn blur_down(plane: &mut [f32], width: usize, taps: &Taps, before: &mut Vec<f32>) {
    let [middle, sides @ ..] = &taps.0[..] else {
        return;
    };
    if sides.is_empty() {
        return;
    }
    before.clear();
    before.extend_from_slice(plane);
    let height = plane.len() / width;
    let row = |y: i64| {
        let y = mirror(y, height);
        &before[y * width..(y + 1) * width]
    };
    for (y, out) in plane.chunks_exact_mut(width).enumerate() {
        let y = y as i64;
        out.iter_mut()
            .zip(row(y))
            .for_each(|(out, v)| *out = v * middle);
        for (distance, weight) in (1i64..).zip(sides) {
            let above = row(y - distance).iter().zip(row(y + distance));
            out.iter_mut()
                .zip(above)
                .for_each(|(out, (a, b))| *out += (a + b) * weight);
        }
    }
}

#[inline(always)]
fn blur_across(plane: &mut [f32], width: usize, taps: &Taps, line: &mut Vec<f32>) {
    let [middle, sides @ ..] = &taps.0[..] else {
        return;
    };
    if sides.is_empty() {
        return;
    }
    let radius = sides.len();
    line.clear();
    line.resize(width + 2 * radius, 0.0);
    for row in plane.chunks_exact_mut(width) {
        line[radius..radius + width].copy_from_slice(row);
        for x in 1..=radius {
            line[radius - x] = row[mirror(-(x as i64), width)];
            line[radius + width - 1 + x] = row[mirror((width - 1 + x) as i64, width)];
        }
        row.iter_mut()
            .zip(&line[radius..])
            .for_each(|(out, v)| *out = v * middle);
        for (distance, weight) in (1..).zip(sides) {
            let pairs = line[radius - distance..]
                .iter()
                .zip(&line[radius + distance..]);
            row.iter_mut()
                .zip(pairs)
                .for_each(|(out, (a, b))| *out += (a + b) * weight);
        }
    }
}
