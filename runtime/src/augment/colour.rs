//! Colour jitter (CJ) and grey (GS) on batches of clips, `[B, 3, T, H, W]`, f32 with values in 0..=255.
//!
//! Colour jitter works on whole levels and leaves whole levels after each of its operations, as Pillow does. The steps in which
//! Pillow holds hue and saturation are part of what the released code does, and they make hue a discontinuous function: results
//! can be compared with it only if all levels before are the same.

use super::draws::Draws;
use super::matrix::per_sample;
use compiler::hir::Levels;
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
    fn amount(&self, operation: Operation) -> Option<f64> {
        let (amount, neutral) = match operation {
            Operation::Brightness => (self.brightness, 1.0),
            Operation::Contrast => (self.contrast, 1.0),
            Operation::Saturation => (self.saturation, 1.0),
            Operation::Hue => (self.hue, 0.0),
        };
        (amount != neutral).then_some(amount)
    }
}

/// CJ: jitters each clip of the batch in its own order.
pub fn jitter(clips: Tensor, jitters: &[Jitter]) -> Tensor {
    let mut clips = clips.round();
    for step in 0..Operation::ALL.len() {
        for operation in Operation::ALL {
            let amounts: Vec<Option<f64>> = jitters
                .iter()
                .map(|j| j.amount(operation).filter(|_| j.order[step] == operation))
                .collect();
            let chosen: Vec<bool> = amounts.iter().map(Option::is_some).collect();
            let amounts: Vec<f64> = amounts.into_iter().flatten().collect();
            clips = on_chosen(clips, &chosen, |some| adjust(some, operation, &amounts));
        }
    }
    clips
}

/// One operation of colour jitter on whole levels, its amount given for each clip.
pub fn adjust(clips: &Tensor, operation: Operation, amounts: &[f64]) -> Tensor {
    let amounts = per_sample(amounts.iter().copied(), 5, clips.device());
    match operation {
        Operation::Brightness => whole_levels(clips * amounts),
        Operation::Contrast => {
            let pivot = whole_grey(clips).mean_dim([3i64, 4].as_slice(), true, None);
            blend(&(pivot + 0.5).floor_(), clips, &amounts)
        }
        Operation::Saturation => blend(&whole_grey(clips), clips, &amounts),
        Operation::Hue => rotate_hue(clips, &amounts),
    }
}

/// GS: makes the chosen clips grey, in all three channels.
pub fn gray_scale(clips: Tensor, chosen: &[bool], levels: Levels) -> Tensor {
    on_chosen(clips, chosen, |some| {
        let grey = match levels {
            Levels::Exact => grey(some),
            Levels::Whole => whole_grey(some),
        };
        grey.expand_as(some).contiguous()
    })
}

/// Applies `f` to the chosen samples of a batch and leaves the others.
pub fn on_chosen(batch: Tensor, chosen: &[bool], f: impl FnOnce(&Tensor) -> Tensor) -> Tensor {
    let at: Vec<i64> = (0i64..)
        .zip(chosen)
        .filter(|(_, c)| **c)
        .map(|(i, _)| i)
        .collect();
    if at.is_empty() {
        return batch;
    }
    if at.len() == chosen.len() {
        return f(&batch);
    }
    let at = Tensor::from_slice(&at).to_device(batch.device());
    batch.index_copy(0, &at, &f(&batch.index_select(0, &at)))
}

/// Luma of ITU-R 601 with Pillow's weights: `[B, 1, T, H, W]`.
fn grey(clips: &Tensor) -> Tensor {
    let channel = |i| clips.narrow(1, i, 1);
    let mut sum = channel(0) * 19595.0;
    sum += channel(1) * 38470.0;
    sum += channel(2) * 7471.0;
    sum * (1.0 / 65536.0)
}

/// [`grey`], rounded.
fn whole_grey(clips: &Tensor) -> Tensor {
    (grey(clips) + 0.5).floor_()
}

/// `base + amount (clips - base)` in whole levels, the product and the sum each rounded to f32.
fn blend(base: &Tensor, clips: &Tensor, amount: &Tensor) -> Tensor {
    whole_levels((clips - base) * amount + base)
}

/// Cut off to whole levels, then to the range.
fn whole_levels(mut clips: Tensor) -> Tensor {
    clips.floor_().clamp_(0.0, 255.0)
}

/// Adds `turns` to the hue, at the same value, by way of Pillow's HSV image: hue and saturation in steps of 1/255.
///
/// With the value V, the saturation S and the hue in sixths of a turn h, the channels are
/// `V - V S clamp(min(k, 4 - k), 0, 1)` for `k = (n + h) mod 6` and n = 5, 3, 1.
fn rotate_hue(clips: &Tensor, turns: &Tensor) -> Tensor {
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
    let hue = modulo(hue + (turns * 255.0).trunc(), 256.0) * (6.0 / 255.0);
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
