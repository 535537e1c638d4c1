//! Colour jitter (CJ) and grey (GS) on batches of clips, `[B, 3, T, H, W]`, f32 with values in 0..=255.
//!
//! Colour jitter works on whole levels and leaves whole levels after each of its operations, as Pillow does. The steps in which
//! Pillow holds hue and saturation are part of what the released code does, and they make hue a discontinuous function: results
//! can be compared with it only if all levels before are the same.

use super::draws::Draws;
use super::numbers::{Column, Numbers, Table, bit};
use tch::{Kind, Tensor};

/// One of the four operations of colour jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Blend with black.
    Brightness,
    /// Blend with the mean grey of each frame.
    Contrast,
    /// Blend with the frame's own grey image.
    Saturation,
    /// Rotation of the hue.
    Hue,
}

impl Operation {
    const ALL: [Self; 4] = [
        Self::Brightness,
        Self::Saturation,
        Self::Hue,
        Self::Contrast,
    ];
}

/// What colour jitter does to one clip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jitter {
    /// Factor of the brightness, 1 for none.
    pub brightness: f64,
    /// Factor of the contrast, 1 for none.
    pub contrast: f64,
    /// Factor of the saturation, 1 for none.
    pub saturation: f64,
    /// Turns added to the hue.
    pub hue: f64,
    /// The operations in the order in which they are done.
    pub order: [Operation; 4],
}

impl Jitter {
    /// Factors from `1 - range` (not below 0) to `1 + range`, the hue from `-range` to `range`, in random order.
    pub fn draw(
        draws: &mut Draws,
        brightness: f64,
        contrast: f64,
        saturation: f64,
        hue: f64,
    ) -> Self {
        let mut factor = |range: f64| draws.uniform((1.0 - range).max(0.0), 1.0 + range);
        let (brightness, contrast, saturation) =
            (factor(brightness), factor(contrast), factor(saturation));
        let hue = draws.uniform(-hue, hue);
        let mut order = Operation::ALL;
        draws.shuffle(&mut order);
        Self {
            brightness,
            contrast,
            saturation,
            hue,
            order,
        }
    }

    /// The amount of one operation, if it changes anything.
    pub(super) fn amount(&self, operation: Operation) -> Option<f64> {
        let (amount, neutral) = match operation {
            Operation::Brightness => (self.brightness, 1.0),
            Operation::Contrast => (self.contrast, 1.0),
            Operation::Saturation => (self.saturation, 1.0),
            Operation::Hue => (self.hue, 0.0),
        };
        (amount != neutral).then_some(amount)
    }
}

/// The jitters of a batch, in numbers for all samples at once.
///
/// Brightness, contrast and saturation are all blends with some base, so the jitter of any sample is up to three blends, a rotation
/// of the hue, and up to three blends. A blend too many is one by 1, which leaves whole levels as they are.
pub(super) struct Blends {
    before: Vec<Blend>,
    hue: Option<Hue>,
    after: Vec<Blend>,
}

/// A blend of each sample: its factor, and 1 where the base is the pivot of the contrast or the grey image; black otherwise.
struct Blend {
    factor: Column,
    pivot: Column,
    grey: Column,
}

struct Hue {
    steps: Column,
    /// 1 where the hue is rotated; a rotation by nothing still goes through Pillow's steps.
    chosen: Column,
}

impl Blends {
    /// Adds the numbers of these jitters to a table.
    pub(super) fn push(jitters: &[Jitter], table: &mut Table) -> Self {
        let done = |jitter: &Jitter| -> Vec<(Operation, f64)> {
            let amount = |o: &Operation| jitter.amount(*o).map(|amount| (*o, amount));
            jitter.order.iter().filter_map(amount).collect()
        };
        let (mut before, mut after, mut turns) = (Vec::new(), Vec::new(), Vec::new());
        for jitter in jitters {
            let mut operations = done(jitter).into_iter();
            let mut hue = None;
            let first = operations.by_ref().take_while(|(operation, amount)| {
                let is_hue = *operation == Operation::Hue;
                hue = is_hue.then_some(*amount);
                !is_hue
            });
            before.push(first.collect::<Vec<_>>());
            after.push(operations.collect::<Vec<_>>());
            turns.push(hue);
        }
        let mut blends = |all: &[Vec<(Operation, f64)>]| -> Vec<Blend> {
            let most = all.iter().map(Vec::len).max().unwrap_or(0);
            let mut blend = |at: usize| {
                let is = |wanted| {
                    let is = move |own: &Vec<(Operation, f64)>| {
                        own.get(at).is_some_and(|o| o.0 == wanted)
                    };
                    all.iter().map(move |own| bit(is(own)))
                };
                Blend {
                    factor: table.push(all.iter().map(|own| own.get(at).map_or(1.0, |o| o.1))),
                    pivot: table.push(is(Operation::Contrast)),
                    grey: table.push(is(Operation::Saturation)),
                }
            };
            (0..most).map(&mut blend).collect()
        };
        let (before, after) = (blends(&before), blends(&after));
        let hue = turns.iter().any(Option::is_some).then(|| Hue {
            steps: table.push(turns.iter().map(|t| hue_steps(t.unwrap_or(0.0)))),
            chosen: table.push(turns.iter().map(|t| bit(t.is_some()))),
        });
        Self { before, hue, after }
    }
}

/// CJ: jitters each clip of the batch in its own order.
pub(super) fn jitter(clips: &Tensor, blends: &Blends, numbers: &Numbers) -> Tensor {
    let mut clips = clips.round();
    for blend in &blends.before {
        clips = blend.of(&clips, numbers);
    }
    if let Some(hue) = &blends.hue {
        let rotated = rotate_hue(&clips, &numbers.float(hue.steps, 5));
        clips = rotated.where_self(&numbers.chosen(hue.chosen, 5), &clips);
    }
    for blend in &blends.after {
        clips = blend.of(&clips, numbers);
    }
    clips
}

impl Blend {
    /// `base + factor (clips - base)` in whole levels, the product and the sum each rounded to f32.
    fn of(&self, clips: &Tensor, numbers: &Numbers) -> Tensor {
        let grey = whole_grey(clips);
        let area = (grey.size()[3] * grey.size()[4]) as f64;
        let sum = grey.sum_dim_intlist([3i64, 4].as_slice(), true, Kind::Double);
        let pivot = (sum / area + 0.5).floor_().to_kind(Kind::Float);
        let base = grey * numbers.float(self.grey, 5) + pivot * numbers.float(self.pivot, 5);
        whole_levels((clips - &base) * numbers.float(self.factor, 5) + base)
    }
}

/// Luma of ITU-R 601 with Pillow's weights: `[B, 1, T, H, W]`.
pub(super) fn grey(clips: &Tensor) -> Tensor {
    let channel = |i| clips.narrow(1, i, 1);
    let mut sum = channel(0) * 19595.0;
    sum += channel(1) * 38470.0;
    sum += channel(2) * 7471.0;
    sum * (1.0 / 65536.0)
}

/// [`grey`], rounded.
pub(super) fn whole_grey(clips: &Tensor) -> Tensor {
    (grey(clips) + 0.5).floor_()
}

/// Cut off to whole levels, then to the range.
fn whole_levels(mut clips: Tensor) -> Tensor {
    clips.floor_().clamp_(0.0, 255.0)
}

/// The steps of 1/255 turn that a hue is moved by.
pub(super) fn hue_steps(turns: f64) -> f64 {
    (turns * 255.0).trunc()
}

/// Adds steps to the hue, at the same value, by way of Pillow's HSV image: hue and saturation in steps of 1/255.
///
/// With the value V, the saturation S and the hue in sixths of a turn h, the channels are
/// `V - V S clamp(min(k, 4 - k), 0, 1)` for `k = (n + h) mod 6` and n = 5, 3, 1.
fn rotate_hue(clips: &Tensor, steps: &Tensor) -> Tensor {
    let value = clips.amax([1i64].as_slice(), true);
    let chroma = &value - clips.amin([1i64].as_slice(), true);
    // Of a grey pixel the hue, of a black one the saturation is of no account: the chroma of 0 leaves them as they are.
    // Sums in f64 and results in f32, as in Pillow's C: 255 h is a whole number for many colours, and its cut a matter of one bit.
    let below = ((&value - clips) / chroma.clamp_min(1.0)).to_kind(Kind::Double);
    let [red, green, blue] = [0, 1, 2].map(|i| below.narrow(1, i, 1));
    let is_largest = |i| clips.narrow(1, i, 1).eq_tensor(&value);
    let from_red = &blue - &green;
    let from_green = &red - &blue + 2.0;
    let from_blue = &green - &red + 4.0;
    let sixths = from_red.where_self(
        &is_largest(0),
        &from_green.where_self(&is_largest(1), &from_blue),
    );
    let sixths = sixths.to_kind(Kind::Float).to_kind(Kind::Double);
    let hue = ((sixths / 6.0 + 1.0).frac_().to_kind(Kind::Float) * 255.0).floor_();
    let saturation = (chroma * 255.0 / value.clamp_min(1.0)).floor_();
    let hue = modulo(hue + steps, 256.0) * (6.0 / 255.0);
    let n = Tensor::from_slice(&[5.0f32, 3.0, 1.0])
        .to_device(clips.device())
        .view([1, 3, 1, 1, 1]);
    let k = modulo(hue + n, 6.0);
    let share = (-&k + 4.0).minimum(&k).clamp_(0.0, 1.0);
    (&value - share * (&value * saturation / 255.0) + 0.5).floor_()
}

/// Remainders in `0..divisor`. torch's own `remainder` goes from value to value and takes a multiple of the time.
fn modulo(values: Tensor, divisor: f64) -> Tensor {
    let whole = (&values * (1.0 / divisor)).floor_();
    values - whole * divisor
}
