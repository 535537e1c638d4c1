//! The log-mel spectrogram of [`LogMel`], equal to librosa's with the Slaney filters.

mod loops;
mod together;

use super::{Strategy, mirror};
use crate::parts::{Part, measured};
use compiler::hir::LogMel;
use rustfft::{Fft, FftPlanner};
use std::cell::RefCell;
use std::f64::consts::TAU;
use std::rc::Rc;
use std::sync::Arc;
use tch::Tensor;

/// Added before the logarithm: the smallest step of f32 at 1.
const FLOOR: f64 = f32::EPSILON as f64;
/// Mean and standard deviation that spectrograms are normalised by, fixed in the released code.
const MEAN: f64 = -5.3688107;
/// See [`MEAN`].
const STD: f64 = 4.410007;

/// Spectrograms of waves: `[B, N]` at `rate_hz` to `[B, 1, bands, columns]`, normalised.
pub fn log_mel(waves: &Tensor, mel: &LogMel, rate_hz: f64) -> Tensor {
    let strategy = Strategy::of(std::slice::from_ref(waves));
    log_mel_by(strategy, waves, mel, rate_hz)
}

/// [`log_mel`] by this strategy.
///
/// Window and transform are f64: the logarithm of quiet bands shows the rounding of f32 as 1e-4.
pub fn log_mel_by(strategy: Strategy, waves: &Tensor, mel: &LogMel, rate_hz: f64) -> Tensor {
    measured(Part::Mel, || {
        let plan = Plan::of(mel, rate_hz, waves.size()[1]);
        let bands = match strategy {
            Strategy::Each => loops::band_powers(waves, &plan),
            Strategy::Together => together::band_powers(waves, &plan),
        };
        (((bands + FLOOR).log_() - MEAN) / STD).unsqueeze(1)
    })
}

/// What spectrograms of one kind and length need beside the waves.
struct Plan {
    fft: usize,
    hop: usize,
    columns: usize,
    /// The place of a wave that each sample of the padded wave is taken from.
    places: Vec<usize>,
    /// Hann's, periodic.
    window: Vec<f64>,
    /// Of each band the first bin of its filter, and its weights from there on.
    filters: Vec<(usize, Vec<f32>)>,
    transform: Arc<dyn Fft<f64>>,
    /// The constants on a device where waves have been.
    on_device: RefCell<Option<together::Constants>>,
}

/// What a plan depends on; the rate in bits.
type Kindred = (LogMel, u64, i64);

thread_local! {
    /// The last few plans of this thread.
    static PLANS: RefCell<Vec<(Kindred, Rc<Plan>)>> = const { RefCell::new(Vec::new()) };
}

/// Plans that a thread keeps; a run needs one or two.
const KEPT: usize = 8;

impl Plan {
    /// The plan for waves of so many samples, made where this thread has none.
    fn of(mel: &LogMel, rate_hz: f64, samples: i64) -> Rc<Self> {
        let kindred = (mel.clone(), rate_hz.to_bits(), samples);
        PLANS.with_borrow_mut(|plans| {
            if let Some((_, plan)) = plans.iter().find(|(known, _)| *known == kindred) {
                return plan.clone();
            }
            let plan = Rc::new(Self::new(mel, rate_hz, samples));
            if plans.len() == KEPT {
                plans.remove(0);
            }
            plans.push((kindred, plan.clone()));
            plan
        })
    }

    fn new(mel: &LogMel, rate_hz: f64, samples: i64) -> Self {
        let (fft, hop) = (i64::from(mel.fft), i64::from(mel.hop));
        let padding = if mel.centre {
            2 * (fft / 2)
        } else {
            (fft - hop).max(0)
        };
        let before = padding / 2;
        let places = (-before..samples + padding - before).map(|at| mirror(at, samples as usize));
        let turn = |i: i64| TAU * i as f64 / fft as f64;
        Self {
            fft: fft as usize,
            hop: hop as usize,
            columns: ((samples + padding - fft) / hop + 1).max(0) as usize,
            places: places.collect(),
            window: (0..fft).map(|i| 0.5 - 0.5 * turn(i).cos()).collect(),
            filters: filters(mel.bands as usize, mel.fft as usize, rate_hz),
            transform: FftPlanner::new().plan_fft_forward(fft as usize),
            on_device: RefCell::default(),
        }
    }
}

/// Triangular filters from 0 to half the rate, evenly spaced on Slaney's scale, each of area 1: the first bin with a weight, and the
/// weights up to the last one.
fn filters(bands: usize, fft: usize, rate_hz: f64) -> Vec<(usize, Vec<f32>)> {
    let bins = fft / 2 + 1;
    let top = to_mel(rate_hz / 2.0);
    let edges: Vec<f64> = (0..bands + 2)
        .map(|i| to_hertz(top * i as f64 / (bands + 1) as f64))
        .collect();
    let filter = |edge: &[f64]| {
        let weight = |bin: usize| {
            let frequency = bin as f64 * rate_hz / fft as f64;
            let rising = (frequency - edge[0]) / (edge[1] - edge[0]);
            let falling = (edge[2] - frequency) / (edge[2] - edge[1]);
            (rising.min(falling).max(0.0) * 2.0 / (edge[2] - edge[0])) as f32
        };
        let all: Vec<f32> = (0..bins).map(weight).collect();
        let first = all.iter().position(|w| *w > 0.0).unwrap_or(0);
        let end = all
            .iter()
            .rposition(|w| *w > 0.0)
            .map_or(first, |last| last + 1);
        (first, all[first..end].to_vec())
    };
    edges.windows(3).map(filter).collect()
}

/// The band whose filter peaks at a frequency, counted from 0, a fraction between two of them: where an axis marks it.
pub fn band_of(hertz: f64, bands: u32, rate_hz: f64) -> f64 {
    to_mel(hertz) / to_mel(rate_hz / 2.0) * f64::from(bands + 1) - 1.0
}

/// Slaney's scale is linear below this frequency and logarithmic above.
const KNEE_HERTZ: f64 = 1000.0;
/// Hertz per mel of the linear part.
const LINEAR: f64 = 200.0 / 3.0;

/// Natural logarithm of the frequency ratio of one mel above the knee: 27 mels from 1000 to 6400 Hz.
fn log_step() -> f64 {
    6.4f64.ln() / 27.0
}

fn to_mel(hertz: f64) -> f64 {
    if hertz < KNEE_HERTZ {
        hertz / LINEAR
    } else {
        KNEE_HERTZ / LINEAR + (hertz / KNEE_HERTZ).ln() / log_step()
    }
}

fn to_hertz(mel: f64) -> f64 {
    let knee = KNEE_HERTZ / LINEAR;
    if mel < knee {
        mel * LINEAR
    } else {
        KNEE_HERTZ * ((mel - knee) * log_step()).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    #[test]
    fn columns_are_as_many_as_the_plan_says() {
        for (centre, samples, fft, columns) in [
            (true, 32_000, 1024, 201),
            (false, 32_000, 1024, 200),
            (true, 700, 1024, 5),
            (false, 320, 1024, 2),
            (true, 32_000, 1025, 200),
            (true, 32_001, 1025, 201),
            (false, 32_000, 1025, 200),
            (false, 32_159, 161, 200),
        ] {
            let mel = LogMel {
                bands: 80,
                hop: 160,
                fft,
                centre,
            };
            let spectrogram = log_mel(
                &Tensor::zeros([2, samples], (Kind::Float, Device::Cpu)),
                &mel,
                16_000.0,
            );
            assert_eq!(spectrogram.size(), [2, 1, 80, columns]);
            assert_eq!(mel.columns(samples as u32), columns as u32);
        }
    }

    #[test]
    fn both_strategies_give_the_same_spectrograms() {
        let noise = Tensor::arange(3 * 4000, (Kind::Float, Device::Cpu));
        let loud = (noise.square() * 0.37).sin().view([3, 4000]);
        // The third is 120 dB below the first.
        let waves = loud * Tensor::from_slice(&[0.9f32, 1e-2, 1e-6]).view([3, 1]);
        for (centre, fft) in [(true, 1024), (false, 1024), (true, 401), (false, 160)] {
            let mel = LogMel {
                bands: 40,
                hop: 160,
                fft,
                centre,
            };
            let by = |strategy| log_mel_by(strategy, &waves, &mel, 16_000.0);
            let (each, together) = (by(Strategy::Each), by(Strategy::Together));
            assert_eq!(each.size(), together.size());
            let apart = (&each - &together).abs().max().double_value(&[]);
            assert!(apart < 1e-5, "{mel:?}: {apart}");
        }
    }

    /// A click in the middle of hop 50 is heard in the columns around 50 alone, symmetrically.
    #[test]
    fn without_centre_each_column_is_centred_on_its_hop() {
        let mel = LogMel {
            bands: 8,
            hop: 160,
            fft: 1024,
            centre: false,
        };
        let wave = Tensor::zeros([1, 16_000], (Kind::Float, Device::Cpu));
        let _ = wave.narrow(1, 50 * 160 + 80, 1).fill_(1.0);
        let loudness =
            log_mel(&wave, &mel, 16_000.0).mean_dim([0i64, 1, 2].as_slice(), false, None);
        assert_eq!(loudness.argmax(0, false).int64_value(&[]), 50);
        for distance in 1..=3 {
            let (left, right) = (
                loudness.double_value(&[50 - distance]),
                loudness.double_value(&[50 + distance]),
            );
            assert!(
                (left - right).abs() < 1e-4,
                "{left} and {right} at {distance}"
            );
        }
    }
}
