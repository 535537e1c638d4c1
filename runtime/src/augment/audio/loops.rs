//! The aural augmentations as loops over one wave or spectrogram in memory, for the CPU.

use super::super::cubic::{Tap, aligned, stretched};
use super::super::lanes::sum;
use super::steps::{CanvasCrop, Mask, Step};
use multiversion::multiversion;

/// The steps on one wave, or on one spectrogram of rows of `width` columns. `scratch` is of any length.
pub(super) fn apply(values: &mut [f32], width: usize, steps: &[Step], scratch: &mut Vec<f32>) {
    for step in steps {
        match step {
            Step::Gain(gain) => {
                let gain = *gain as f32;
                values.iter_mut().for_each(|v| *v *= gain);
            }
            Step::FreqMask(masks) => {
                let mean = mean(values);
                for mask in masks {
                    let height = values.len() / width;
                    let (from, to) = bounds(mask, height);
                    values[from * width..to * width].fill(mean);
                }
            }
            Step::TimeMask(masks) => {
                let mean = mean(values);
                for mask in masks {
                    let (from, to) = bounds(mask, width);
                    for row in values.chunks_exact_mut(width) {
                        row[from..to].fill(mean);
                    }
                }
            }
            Step::RandomCrop(crop) => random_crop(values, width, crop, scratch),
            Step::TimeWarp(None) => {}
            Step::TimeWarp(Some(warp)) => across(values, width, &stretched(width, *warp), scratch),
        }
    }
}

fn bounds(mask: &Mask, length: usize) -> (usize, usize) {
    let within = |at: i64| at.clamp(0, length as i64) as usize;
    (within(mask.start), within(mask.start + mask.width))
}

fn mean(values: &[f32]) -> f32 {
    (sum(values) / values.len() as f64) as f32
}

fn random_crop(values: &mut [f32], width: usize, crop: &CanvasCrop, scratch: &mut Vec<f32>) {
    let height = values.len() / width;
    across(
        values,
        width,
        &aligned(width, crop.canvas.1, crop.left, crop.width),
        scratch,
    );
    if (crop.top, crop.height) != ((crop.canvas.0 - height as i64) / 2, height as i64) {
        down(
            values,
            width,
            &aligned(height, crop.canvas.0, crop.top, crop.height),
            scratch,
        );
    }
}

/// Each row out of itself.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn across(values: &mut [f32], width: usize, taps: &[Tap], row: &mut Vec<f32>) {
    for out in values.chunks_exact_mut(width) {
        row.clear();
        row.extend_from_slice(out);
        for (out, tap) in out.iter_mut().zip(taps) {
            let mut sum = 0.0;
            for (place, weight) in tap.places.iter().zip(tap.weights) {
                sum += row[*place as usize] * weight;
            }
            *out = sum;
        }
    }
}

/// Each column out of itself.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn down(values: &mut [f32], width: usize, taps: &[Tap], before: &mut Vec<f32>) {
    before.clear();
    before.extend_from_slice(values);
    let row = |place: u32| before[place as usize * width..].iter();
    for (out, tap) in values.chunks_exact_mut(width).zip(taps) {
        let [a, b, c, d] = tap.weights;
        let [p, q, r, s] = tap.places.map(row);
        for ((((out, p), q), r), s) in out.iter_mut().zip(p).zip(q).zip(r).zip(s) {
            *out = p * a + q * b + r * c + s * d;
        }
    }
}
