//! Quantities that places take: dimension and range.

use crate::units::{Dimension, Exact, Quantity};

/// A quantity that a place takes: its dimension and its range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure {
    /// What it is, for messages: `a probability`.
    pub noun: &'static str,
    /// The dimension.
    pub dimension: Dimension,
    /// Whole numbers only.
    pub is_whole: bool,
    /// The least value, as a fraction.
    pub least: (i64, i64),
    /// The greatest value, as a fraction.
    pub most: (i64, i64),
}

impl Measure {
    pub(super) const fn new(
        noun: &'static str,
        dimension: Dimension,
        is_whole: bool,
        least: (i64, i64),
        most: (i64, i64),
    ) -> Self {
        Self {
            noun,
            dimension,
            is_whole,
            least,
            most,
        }
    }

    pub(super) const fn whole(
        noun: &'static str,
        dimension: Dimension,
        least: i64,
        most: i64,
    ) -> Self {
        Self::new(noun, dimension, true, (least, 1), (most, 1))
    }

    pub(super) const fn real(
        noun: &'static str,
        dimension: Dimension,
        least: (i64, i64),
        most: (i64, i64),
    ) -> Self {
        Self::new(noun, dimension, false, least, most)
    }

    /// The least and the greatest value.
    pub fn range(&self) -> (Exact, Exact) {
        let exact = |(n, d): (i64, i64)| Exact::new(n.into(), d.into());
        (exact(self.least), exact(self.most))
    }

    /// The range as people write it: `0.08`, `16fps`.
    pub fn range_text(&self) -> (String, String) {
        let text = |value| {
            Quantity {
                value,
                dimension: self.dimension,
            }
            .to_string()
        };
        let (least, most) = self.range();
        (text(least), text(most))
    }
}

pub(super) const NUMBER: Dimension = Dimension::NUMBER;
const MILLION: i64 = 1_000_000;

/// A share: 0 to 1.
pub const SHARE: Measure = Measure::real("a share", NUMBER, (0, 1), (1, 1));
/// A probability.
pub const PROBABILITY: Measure = Measure::real("a probability", NUMBER, (0, 1), (1, 1));
/// What a rate is multiplied by when it falls.
pub const FALL: Measure = Measure::real("a factor", NUMBER, (0, 1), (1, 1));
/// A learning rate.
pub const RATE: Measure = Measure::real("a rate", NUMBER, (0, 1), (1000, 1));
/// Any number within reason.
pub const ANY_NUMBER: Measure = Measure::real("a number", NUMBER, (-MILLION, 1), (MILLION, 1));
/// A positive number.
pub const POSITIVE: Measure = Measure::real(
    "a positive number",
    NUMBER,
    (1, 1_000_000_000),
    (MILLION, 1),
);
/// A count of things.
pub const COUNT: Measure = Measure::whole("a count", NUMBER, 1, 1_000_000_000_000);
/// A count of one or a few.
pub const SMALL_COUNT: Measure = Measure::whole("a count", NUMBER, 1, MILLION);
/// Folds of a cross-validation.
pub const FOLDS: Measure = Measure::whole("a count", NUMBER, 2, 1000);
/// Samples of a batch.
pub const BATCH: Measure = Measure::whole("a count", NUMBER, 1, 1 << 20);
/// A number of epochs, which may be 0.
pub const EPOCH_COUNT: Measure = Measure::whole("a count", NUMBER, 0, MILLION);
/// A seed of random numbers.
pub const SEED: Measure = Measure::whole("a whole number", NUMBER, 0, 1_000_000_000_000_000_000);
/// The width of a layer.
pub const WIDTH: Measure = Measure::whole("a width", NUMBER, 1, 1 << 20);
/// The depth of a backbone.
pub const DEPTH: Measure = Measure::whole("a depth", NUMBER, 10, 34);
/// Temperature or entropy weight.
pub const TEMPERATURE: Measure = Measure::real("a temperature", NUMBER, (1, MILLION), (MILLION, 1));
/// A weight decay.
pub const DECAY: Measure = Measure::real("a decay", NUMBER, (0, 1), (1, 1));
/// Seconds.
pub const DURATION: Measure = Measure::real("a duration", Dimension::TIME, (1, 1000), (86_400, 1));
/// Seconds, which may be 0.
pub const LAG: Measure = Measure::real("a duration", Dimension::TIME, (0, 1), (86_400, 1));
/// Frames per second.
pub const FRAME_RATE: Measure =
    Measure::real("a frame rate", Dimension::FRAME_RATE, (1, 1000), (1000, 1));
/// Samples per second.
pub const FREQUENCY: Measure = Measure::real(
    "a sample rate",
    Dimension::FREQUENCY,
    (100, 1),
    (MILLION, 1),
);
/// Samples.
pub const SAMPLES: Measure = Measure::whole("a count of samples", Dimension::SAMPLES, 1, 1 << 24);
/// Pixels.
pub const LENGTH: Measure = Measure::whole("a length in pixels", Dimension::LENGTH, 1, 16_384);
/// Places for words.
pub const TOKENS: Measure = Measure::whole("a count of tokens", Dimension::TOKENS, 1, 1 << 16);
/// A stride of a convolution.
pub const STRIDE: Measure = Measure::whole("a stride", NUMBER, 1, 8);
/// Columns or bands.
pub const BINS: Measure = Measure::whole("a count of bins", Dimension::BINS, 1, 1 << 20);
/// Epochs as a place on the axis of training.
pub const EPOCHS: Measure =
    Measure::real("a count of epochs", Dimension::EPOCHS, (0, 1), (MILLION, 1));
/// A state of a training: the whole epochs behind it.
pub const CHECKPOINT: Measure = Measure::whole("a count of epochs", Dimension::EPOCHS, 0, MILLION);
