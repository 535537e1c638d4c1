//! Band powers of a batch of waves as one tensor program, on any device.

use super::Plan;
use tch::{Device, Kind, Tensor};

/// What the program reads beside the waves; on its device since the first batch.
pub(super) struct Constants {
    places: Tensor,
    window: Tensor,
    /// `[bands, fft / 2 + 1]`.
    filters: Tensor,
}

impl Constants {
    fn on(plan: &Plan, device: Device) -> Self {
        let places: Vec<i64> = plan.places.iter().map(|place| *place as i64).collect();
        let bins = plan.fft / 2 + 1;
        let mut filters = vec![0.0f32; plan.filters.len() * bins];
        for (row, (first, weights)) in filters.chunks_exact_mut(bins).zip(&plan.filters) {
            row[*first..first + weights.len()].copy_from_slice(weights);
        }
        Self {
            places: Tensor::from_slice(&places).to_device(device),
            window: Tensor::from_slice(&plan.window).to_device(device),
            filters: Tensor::from_slice(&filters)
                .view([-1, bins as i64])
                .to_device(device),
        }
    }
}

/// `[B, N]` to `[B, bands, columns]`, f32.
pub(super) fn band_powers(waves: &Tensor, plan: &Plan) -> Tensor {
    let mut known = plan.on_device.borrow_mut();
    let device = waves.device();
    if known
        .as_ref()
        .is_none_or(|known| known.window.device() != device)
    {
        *known = None;
    }
    let constants = known.get_or_insert_with(|| Constants::on(plan, device));
    let (fft, hop) = (plan.fft as i64, plan.hop as i64);
    let padded = waves
        .to_kind(Kind::Double)
        .index_select(1, &constants.places);
    let transform = padded.stft(
        fft,
        hop,
        fft,
        Some(&constants.window),
        false,
        true,
        true,
        false,
    );
    // Not a sum over the last axis of `view_as_real`: torch takes twice as long for sums of two.
    let (real, imaginary) = (transform.real(), transform.imag());
    let power = real
        .square()
        .addcmul_(&imaginary, &imaginary)
        .to_kind(Kind::Float); // [B, fft / 2 + 1, columns]
    constants.filters.matmul(&power)
}
