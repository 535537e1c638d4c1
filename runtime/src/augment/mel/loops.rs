//! Band powers of waves as loops over one wave in memory, for the CPU.
//!
//! Two columns of a spectrogram are the real and the imaginary part of one transform, which is taken apart by its symmetry. Sixteen
//! columns stand side by side for the filters, which are sums over their own bins alone.

use super::Plan;
use crate::ffi::filled;
use multiversion::multiversion;
use rustfft::num_complex::Complex;
use tch::Tensor;

/// Columns that are filtered together.
const LANES: usize = 16;

/// `[B, N]` to `[B, bands, columns]`, f32.
pub(super) fn band_powers(waves: &Tensor, plan: &Plan) -> Tensor {
    let [batch, samples] = waves.size()[..] else {
        unreachable!("waves are [B, N]")
    };
    let mut wave = vec![0.0f32; samples as usize];
    let mut padded = vec![0.0f64; plan.places.len()];
    let mut buffer = vec![Complex::default(); plan.fft];
    let mut scratch = vec![Complex::default(); plan.transform.get_inplace_scratch_len()];
    let mut power = vec![[0.0f32; LANES]; plan.fft / 2 + 1];
    let shape = [batch, plan.filters.len() as i64, plan.columns as i64];
    filled(shape, |values| {
        let each = values.chunks_exact_mut(plan.filters.len() * plan.columns);
        for (at, bands) in (0i64..).zip(each) {
            waves.get(at).copy_data(&mut wave, samples as usize);
            for (sample, place) in padded.iter_mut().zip(&plan.places) {
                *sample = f64::from(wave[*place]);
            }
            for first in (0..plan.columns).step_by(LANES) {
                let lanes = LANES.min(plan.columns - first);
                for lane in (0..lanes).step_by(2) {
                    let from = |column: usize| &padded[(first + column) * plan.hop..][..plan.fft];
                    // The last column may have no other beside it; then it is its own.
                    let other = if lane + 1 < lanes { lane + 1 } else { lane };
                    window(from(lane), from(other), &plan.window, &mut buffer);
                    plan.transform
                        .process_with_scratch(&mut buffer, &mut scratch);
                    take_apart(&buffer, &mut power, lane);
                }
                filter(
                    &plan.filters,
                    &power,
                    bands,
                    plan.columns,
                    first..first + lanes,
                );
            }
        }
    })
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn window(first: &[f64], second: &[f64], window: &[f64], buffer: &mut [Complex<f64>]) {
    for (((out, a), b), w) in buffer.iter_mut().zip(first).zip(second).zip(window) {
        *out = Complex::new(a * w, b * w);
    }
}

/// The squared magnitudes of the transforms of the real and of the imaginary part.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn take_apart(buffer: &[Complex<f64>], power: &mut [[f32; LANES]], lane: usize) {
    let squared = |a: f64, b: f64| (0.25 * (a * a + b * b)) as f32;
    let mut both = |bin: usize, a: Complex<f64>, b: Complex<f64>| {
        power[bin][lane] = squared(a.re + b.re, a.im - b.im);
        power[bin][lane + 1] = squared(a.im + b.im, b.re - a.re);
    };
    both(0, buffer[0], buffer[0]);
    let half = buffer.len() / 2;
    let mirrored = buffer[1..].iter().rev();
    for ((bin, a), b) in (1..=half).zip(&buffer[1..]).zip(mirrored) {
        both(bin, *a, *b);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn filter(
    filters: &[(usize, Vec<f32>)],
    power: &[[f32; LANES]],
    bands: &mut [f32],
    columns: usize,
    span: std::ops::Range<usize>,
) {
    for ((first, weights), row) in filters.iter().zip(bands.chunks_exact_mut(columns)) {
        let mut sums = [0.0f32; LANES];
        for (weight, power) in weights.iter().zip(&power[*first..]) {
            for (sum, power) in sums.iter_mut().zip(power) {
                *sum += weight * power;
            }
        }
        let row = &mut row[span.clone()];
        row.copy_from_slice(&sums[..row.len()]);
    }
}
