//! Exact rationals with a dimension: every number of an experiment until tensors begin.
//!
//! A frame is not a sample and neither is a second; `fps` is frames per second and `Hz` is samples per second, so that
//! `8frames / 16fps` and `8000samples / 16kHz` are both half a second and `8frames / 16kHz` is nothing at all.

use num_rational::Ratio;
use num_traits::{CheckedAdd, CheckedDiv, CheckedMul, CheckedSub};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// An exact rational, printed and stored as `1/6`, or `2` where it is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Exact(pub Ratio<i128>);

impl Exact {
    /// `numerator / denominator`; the denominator is not zero.
    pub fn new(numerator: i128, denominator: i128) -> Self {
        Self(Ratio::new(numerator, denominator))
    }

    /// A whole number.
    pub fn whole(n: i128) -> Self {
        Self(Ratio::from_integer(n))
    }

    /// The nearest double.
    pub fn to_f64(self) -> f64 {
        *self.0.numer() as f64 / *self.0.denom() as f64
    }

    /// The whole number, if it is one that fits.
    pub fn to_u32(self) -> Option<u32> {
        self.0
            .is_integer()
            .then(|| u32::try_from(*self.0.numer()).ok())
            .flatten()
    }

    /// The whole number, if it is one that fits.
    pub fn to_u64(self) -> Option<u64> {
        self.0
            .is_integer()
            .then(|| u64::try_from(*self.0.numer()).ok())
            .flatten()
    }

    /// `self + other`, unless it needs more than 30 digits.
    pub fn plus(self, other: Exact) -> Option<Exact> {
        self.0.checked_add(&other.0).and_then(bounded)
    }

    /// `self - other`, unless it needs more than 30 digits.
    pub fn minus(self, other: Exact) -> Option<Exact> {
        self.0.checked_sub(&other.0).and_then(bounded)
    }

    /// `self * other`, unless it needs more than 30 digits.
    pub fn times(self, other: Exact) -> Option<Exact> {
        self.0.checked_mul(&other.0).and_then(bounded)
    }

    /// `self / other`, unless `other` is 0 or it needs more than 30 digits.
    pub fn over(self, other: Exact) -> Option<Exact> {
        if *other.0.numer() == 0 {
            None
        } else {
            self.0.checked_div(&other.0).and_then(bounded)
        }
    }

    /// The number without its sign.
    pub fn abs(self) -> Exact {
        if *self.0.numer() < 0 {
            Exact(-self.0)
        } else {
            self
        }
    }

    /// As people write it: `0.0002` where the decimals end within nine places, `1/3` elsewhere.
    pub fn decimal(self) -> String {
        let (numerator, denominator) = (*self.0.numer(), *self.0.denom());
        for places in 0..=9u32 {
            let scale = 10i128.pow(places);
            if scale % denominator != 0 {
                continue;
            }
            let Some(scaled) = numerator.checked_mul(scale / denominator) else {
                break;
            };
            let (sign, digits) = (if scaled < 0 { "-" } else { "" }, scaled.unsigned_abs());
            let whole = digits / scale.unsigned_abs();
            let rest = digits % scale.unsigned_abs();
            return match places {
                0 => format!("{sign}{whole}"),
                _ => format!("{sign}{whole}.{rest:0width$}", width = places as usize),
            };
        }
        self.to_string()
    }
}

/// Numerators and denominators stay below 10^30: far beyond any experiment, and sums and products of two still fit.
const BOUND: u128 = 10u128.pow(30);

fn bounded(ratio: Ratio<i128>) -> Option<Exact> {
    let fits = ratio.numer().unsigned_abs() <= BOUND && ratio.denom().unsigned_abs() <= BOUND;
    fits.then_some(Exact(ratio))
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map(Self)
            .map_err(|_| serde::de::Error::custom(format!("`{text}` is no rational number")))
    }
}

/// The exponents of the base units: a dimension. All zero is a plain number; a share such as `50%` is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dimension([i8; 8]);

const BASES: [&str; 8] = ["s", "frames", "samples", "bins", "tokens", "px", "ep", "B"];

impl Dimension {
    /// A plain number.
    pub const NUMBER: Self = Self([0, 0, 0, 0, 0, 0, 0, 0]);
    /// Seconds.
    pub const TIME: Self = Self([1, 0, 0, 0, 0, 0, 0, 0]);
    /// Video frames.
    pub const FRAMES: Self = Self([0, 1, 0, 0, 0, 0, 0, 0]);
    /// Samples of a sound.
    pub const SAMPLES: Self = Self([0, 0, 1, 0, 0, 0, 0, 0]);
    /// Columns or bands of a spectrogram.
    pub const BINS: Self = Self([0, 0, 0, 1, 0, 0, 0, 0]);
    /// Words of a text.
    pub const TOKENS: Self = Self([0, 0, 0, 0, 1, 0, 0, 0]);
    /// Pixels.
    pub const LENGTH: Self = Self([0, 0, 0, 0, 0, 1, 0, 0]);
    /// Passes over the epoch's samples.
    pub const EPOCHS: Self = Self([0, 0, 0, 0, 0, 0, 1, 0]);
    /// Memory.
    pub const BYTES: Self = Self([0, 0, 0, 0, 0, 0, 0, 1]);
    /// Frames per second.
    pub const FRAME_RATE: Self = Self([-1, 1, 0, 0, 0, 0, 0, 0]);
    /// Samples per second.
    pub const FREQUENCY: Self = Self([-1, 0, 1, 0, 0, 0, 0, 0]);

    fn combined(self, other: Self, sign: i8) -> Option<Self> {
        let mut sum = self.0;
        for (exponent, more) in sum.iter_mut().zip(other.0) {
            *exponent = exponent.checked_add(more.checked_mul(sign)?)?;
        }
        Some(Self(sum))
    }

    /// What people call it: `a duration`, `a number`, ...
    pub fn noun(self) -> String {
        let named = [
            (Self::NUMBER, "a number"),
            (Self::TIME, "a duration"),
            (Self::FRAMES, "a count of frames"),
            (Self::SAMPLES, "a count of samples"),
            (Self::BINS, "a count of bins"),
            (Self::TOKENS, "a count of tokens"),
            (Self::LENGTH, "a length in pixels"),
            (Self::EPOCHS, "a count of epochs"),
            (Self::BYTES, "an amount of memory"),
            (Self::FRAME_RATE, "a frame rate"),
            (Self::FREQUENCY, "a sample rate"),
        ];
        named.iter().find(|(d, _)| *d == self).map_or_else(
            || {
                let unit = self.unit();
                let above = if unit.starts_with('/') { "1" } else { "" };
                format!("a quantity in {above}{unit}")
            },
            |n| n.1.to_string(),
        )
    }

    /// The unit in which it is printed, with the fewest units that there are: `fps`, `frames/Hz`, `s^2`, `/s`; empty for a
    /// number.
    pub fn unit(self) -> String {
        let mut best = (self.size(), self.written(None));
        for (name, rate) in [("fps", Self::FRAME_RATE), ("Hz", Self::FREQUENCY)] {
            for sign in [1, -1] {
                // `s/frames` is plainer than `1/fps`.
                let Some(rest) = self
                    .combined(rate, -sign)
                    .filter(|rest| sign > 0 || *rest != Self::NUMBER)
                else {
                    continue;
                };
                if rest.size() + 1 < best.0 {
                    best = (rest.size() + 1, rest.written(Some((name, sign))));
                }
            }
        }
        best.1
    }

    /// How many units it takes to write it in base units.
    fn size(self) -> u32 {
        let exponents = self.0.iter();
        exponents.map(|e| u32::from(e.unsigned_abs())).sum()
    }

    /// The base units, and one more with its exponent: what is multiplied, then what it is divided by.
    fn written(self, more: Option<(&str, i8)>) -> String {
        let own = BASES.into_iter().zip(self.0);
        let all: Vec<(&str, i8)> = own.chain(more).filter(|(_, e)| *e != 0).collect();
        let power = |name: &str, exponent: u8| match exponent {
            1 => name.to_owned(),
            _ => format!("{name}^{exponent}"),
        };
        let side = |sign: i8| {
            let of_side = all.iter().filter(move |(_, e)| e.signum() == sign);
            of_side.map(move |(name, e)| power(name, e.unsigned_abs()))
        };
        let above: Vec<String> = side(1).collect();
        let below: String = side(-1).map(|unit| format!("/{unit}")).collect();
        above.join("*") + &below
    }
}

/// A number with its dimension, in base units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity {
    /// The number.
    pub value: Exact,
    /// Of what.
    pub dimension: Dimension,
}

/// Why two quantities do not combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// They measure different things.
    Dimensions,
    /// The result needs more than 30 digits.
    TooLarge,
    /// The divisor is 0.
    ZeroDivisor,
}

impl Quantity {
    /// A plain number.
    pub fn number(value: Exact) -> Self {
        Self {
            value,
            dimension: Dimension::NUMBER,
        }
    }

    /// Reads the digits (with decimal point and exponent) and the unit of a literal. `None`: more than 30 digits.
    ///
    /// A unit that does not exist reads as a plain number; the grammar lets none through.
    pub fn parse(digits: &str, unit: Option<&str>) -> Option<Quantity> {
        let (factor, dimension) = match unit {
            Some("s") => (Exact::whole(1), Dimension::TIME),
            Some("ms") => (Exact::new(1, 1000), Dimension::TIME),
            Some("min") => (Exact::whole(60), Dimension::TIME),
            Some("h") => (Exact::whole(3600), Dimension::TIME),
            Some("Hz") => (Exact::whole(1), Dimension::FREQUENCY),
            Some("kHz") => (Exact::whole(1000), Dimension::FREQUENCY),
            Some("fps") => (Exact::whole(1), Dimension::FRAME_RATE),
            Some("frames") => (Exact::whole(1), Dimension::FRAMES),
            Some("samples") => (Exact::whole(1), Dimension::SAMPLES),
            Some("bins") => (Exact::whole(1), Dimension::BINS),
            Some("tokens") => (Exact::whole(1), Dimension::TOKENS),
            Some("px") => (Exact::whole(1), Dimension::LENGTH),
            Some("ep") => (Exact::whole(1), Dimension::EPOCHS),
            Some("GB") => (Exact::whole(1_000_000_000), Dimension::BYTES),
            Some("K") => (Exact::whole(1000), Dimension::NUMBER),
            Some("M") => (Exact::whole(1_000_000), Dimension::NUMBER),
            Some("%") => (Exact::new(1, 100), Dimension::NUMBER),
            Some(_) | None => (Exact::whole(1), Dimension::NUMBER),
        };
        Some(Quantity {
            value: parse_exact(digits)?.times(factor)?,
            dimension,
        })
    }

    /// `self + other`.
    pub fn plus(self, other: Quantity) -> Result<Quantity, Unfit> {
        self.alike(other, Exact::plus)
    }

    /// `self - other`.
    pub fn minus(self, other: Quantity) -> Result<Quantity, Unfit> {
        self.alike(other, Exact::minus)
    }

    fn alike(
        self,
        other: Quantity,
        combine: fn(Exact, Exact) -> Option<Exact>,
    ) -> Result<Quantity, Unfit> {
        if self.dimension != other.dimension {
            return Err(Unfit::Dimensions);
        }
        let value = combine(self.value, other.value).ok_or(Unfit::TooLarge)?;
        Ok(Quantity {
            value,
            dimension: self.dimension,
        })
    }

    /// `self * other`.
    pub fn times(self, other: Quantity) -> Result<Quantity, Unfit> {
        let value = self.value.times(other.value).ok_or(Unfit::TooLarge)?;
        let dimension = self
            .dimension
            .combined(other.dimension, 1)
            .ok_or(Unfit::TooLarge)?;
        Ok(Quantity { value, dimension })
    }

    /// `self / other`.
    pub fn over(self, other: Quantity) -> Result<Quantity, Unfit> {
        if *other.value.0.numer() == 0 {
            return Err(Unfit::ZeroDivisor);
        }
        let value = self.value.over(other.value).ok_or(Unfit::TooLarge)?;
        let dimension = self
            .dimension
            .combined(other.dimension, -1)
            .ok_or(Unfit::TooLarge)?;
        Ok(Quantity { value, dimension })
    }
}

/// A count for people: `48,800`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.value.decimal(), self.dimension.unit())
    }
}

/// `0.0002`, `1e-4`, `12.5`; `None` beyond 30 digits.
fn parse_exact(text: &str) -> Option<Exact> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let power = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let scale = 10i128
        .checked_pow(power.unsigned_abs())
        .filter(|_| power.unsigned_abs() <= 30)?;
    bounded(if power < 0 {
        Ratio::new(digits, scale)
    } else {
        Ratio::from_integer(digits.checked_mul(scale)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantity(digits: &str, unit: &str) -> Quantity {
        Quantity::parse(digits, Some(unit)).unwrap()
    }

    #[test]
    fn numbers_are_exact() {
        let number = |text, unit| Quantity::parse(text, unit).unwrap().value;
        assert_eq!(number("1e-4", None), Exact::new(1, 10_000));
        assert_eq!(number("0.0002", None), Exact::new(1, 5000));
        assert_eq!(number("22", Some("K")), Exact::whole(22_000));
        assert_eq!(number("1.8", Some("M")), Exact::whole(1_800_000));
        assert_eq!(number("50", Some("%")), Exact::new(1, 2));
        assert_eq!(number("1.50", None), Exact::new(3, 2));
        assert_eq!(Quantity::parse("1e999", None), None);
        assert_eq!(
            Quantity::parse("99999999999999999999999999999999999", None),
            None
        );
    }

    #[test]
    fn units_of_products_are_written_with_the_fewest() {
        let over = |a: Quantity, b: Quantity| a.over(b).unwrap();
        let times = |a: Quantity, b: Quantity| a.times(b).unwrap();
        let (frames, rate) = (quantity("8", "frames"), quantity("16", "kHz"));
        let (s, px) = (quantity("2", "s"), quantity("3", "px"));
        let cases = [
            (
                over(frames, rate),
                "0.0005frames/Hz",
                "a quantity in frames/Hz",
            ),
            (times(frames, s), "16s*frames", "a quantity in s*frames"),
            (over(s, frames), "0.25s/frames", "a quantity in s/frames"),
            (
                over(Quantity::number(Exact::whole(1)), s),
                "0.5/s",
                "a quantity in 1/s",
            ),
            (times(px, px), "9px^2", "a quantity in px^2"),
            (
                over(px, quantity("16", "fps")),
                "0.1875px/fps",
                "a quantity in px/fps",
            ),
            (rate, "16000Hz", "a sample rate"),
        ];
        for (quantity, value, noun) in cases {
            assert_eq!(
                (
                    quantity.to_string().as_str(),
                    quantity.dimension.noun().as_str()
                ),
                (value, noun)
            );
        }
    }

    #[test]
    fn frames_over_frame_rate_is_time() {
        assert_eq!(
            quantity("8", "frames").over(quantity("16", "fps")),
            Ok(quantity("0.5", "s"))
        );
        assert_eq!(
            quantity("8000", "samples").over(quantity("16", "kHz")),
            Ok(quantity("500", "ms"))
        );
        assert_eq!(
            quantity("2", "s").over(quantity("10", "ms")),
            Ok(Quantity::number(Exact::whole(200)))
        );
        assert_eq!(
            quantity("2", "s").times(quantity("16", "kHz")),
            Ok(quantity("32000", "samples"))
        );
        assert_eq!(
            quantity("1024", "samples").plus(quantity("10", "ms")),
            Err(Unfit::Dimensions)
        );
        assert_eq!(
            quantity("1", "s").over(quantity("0", "s")),
            Err(Unfit::ZeroDivisor)
        );
    }

    #[test]
    fn arithmetic_is_bounded() {
        let large = Exact::whole(10i128.pow(30));
        assert_eq!(large.times(large), None);
        assert_eq!(large.plus(large), None);
        assert_eq!(Exact::new(1, 3).over(Exact::whole(0)), None);
    }

    #[test]
    fn decimals_print_as_written() {
        assert_eq!(Exact::new(1, 5000).decimal(), "0.0002");
        assert_eq!(Exact::new(-3, 2).decimal(), "-1.5");
        assert_eq!(Exact::new(1, 3).decimal(), "1/3");
        assert_eq!(quantity("16", "kHz").to_string(), "16000Hz");
    }
}
