//! The log-mel spectrogram of [`LogMel`], equal to librosa's with the Slaney filters.

use super::matrix::mirror;
use compiler::hir::LogMel;
use tch::{Device, Kind, Tensor};

/// Added before the logarithm: the smallest step of f32 at 1.
const FLOOR: f64 = f32::EPSILON as f64;
/// Mean and standard deviation that spectrograms are normalised by, fixed in the released code.
const MEAN: f64 = -5.3688107;
/// See [`MEAN`].
const STD: f64 = 4.410007;

/// Spectrograms of waves: `[B, N]` at `rate_hz` to `[B, 1, bands, columns]`, normalised.
pub fn log_mel(waves: &Tensor, mel: &LogMel, rate_hz: f64) -> Tensor {
    let power = power_spectrum(waves, mel); // [B, fft / 2 + 1, columns]
    let filters = filter_bank(
        mel.bands as usize,
        mel.fft as usize,
        rate_hz,
        waves.device(),
    );
    let bands = filters.matmul(&power);
    (((bands + FLOOR).log() - MEAN) / STD).unsqueeze(1)
}

/// Squared magnitudes of the windowed transforms: `[B, N]` to `[B, fft / 2 + 1, columns]`, f32.
///
/// Window and transform are f64: the logarithm of quiet bands shows the rounding of f32 as 1e-4.
fn power_spectrum(waves: &Tensor, mel: &LogMel) -> Tensor {
    let (fft, hop) = (i64::from(mel.fft), i64::from(mel.hop));
    let length = waves.size()[1];
    let padding = if mel.centre {
        2 * (fft / 2)
    } else {
        (fft - hop).max(0)
    };
    let before = padding / 2;
    let places: Vec<i64> = (-before..length + padding - before)
        .map(|i| mirror(i, length as usize) as i64)
        .collect();
    let padded = waves
        .to_kind(Kind::Double)
        .index_select(1, &Tensor::from_slice(&places).to_device(waves.device()));
    let window = Tensor::hann_window_periodic(fft, true, (Kind::Double, waves.device()));
    let transform = padded.stft(fft, hop, fft, Some(&window), false, true, true, false);
    // Not a sum over the last axis of `view_as_real`: torch takes twice as long for sums of two.
    let (real, imaginary) = (transform.real(), transform.imag());
    real.square()
        .addcmul_(&imaginary, &imaginary)
        .to_kind(Kind::Float)
}

/// Triangular filters from 0 to half the rate, evenly spaced on Slaney's scale, each of area 1: `[bands, fft / 2 + 1]`, f32.
fn filter_bank(bands: usize, fft: usize, rate_hz: f64, device: Device) -> Tensor {
    let bins = fft / 2 + 1;
    let top = to_mel(rate_hz / 2.0);
    let edges: Vec<f64> = (0..bands + 2)
        .map(|i| to_hertz(top * i as f64 / (bands + 1) as f64))
        .collect();
    let mut weights = Vec::with_capacity(bands * bins);
    for edge in edges.windows(3) {
        for bin in 0..bins {
            let frequency = bin as f64 * rate_hz / fft as f64;
            let rising = (frequency - edge[0]) / (edge[1] - edge[0]);
            let falling = (edge[2] - frequency) / (edge[2] - edge[1]);
            weights.push(rising.min(falling).max(0.0) * 2.0 / (edge[2] - edge[0]));
        }
    }
    Tensor::from_slice(&weights)
        .to_kind(Kind::Float)
        .to_device(device)
        .view([bands as i64, bins as i64])
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
