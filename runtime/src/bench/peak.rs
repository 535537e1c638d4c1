//! What the device can do at most: products of square matrices, and copies.

use super::Spread;
use crate::error::Result;
use serde::Serialize;
use std::time::Instant;
use tch::{Cuda, Device, Kind, Tensor, no_grad};

/// Tries of each, of which the fastest counts: neighbours only slow down.
const TRIES: usize = 8;

/// The most that was seen of a device.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Peak {
    /// Floating-point operations per second of a product of two square matrices.
    pub flops_per_s: f64,
    /// Bytes per second of a copy, read and written ones together.
    pub bytes_per_s: f64,
}

/// Measures a device in numbers of this kind: below a second on the CPU.
pub fn peak(kind: Kind, device: Device) -> Result<Peak> {
    no_grad(|| {
        let side: i64 = if device.is_cuda() { 8192 } else { 1024 };
        let a = Tensor::f_ones([side, side], (kind, device))?;
        // oneDNN's kernels for pictures are the faster ones where libtorch's own library for products knows the processor badly.
        let pictures = Tensor::f_ones([64, 256, 14, 14], (kind, device))?;
        let weight = Tensor::f_ones([256, 256, 3, 3], (kind, device))?;
        let products = 2.0 * (side as f64).powi(3) / fastest(device, || a.f_matmul(&a))?;
        let picture = 2.0 * (64 * 14 * 14 * 9) as f64 * 256f64.powi(2);
        let picture = picture
            / fastest(device, || {
                pictures.f_conv2d(&weight, None::<&Tensor>, [1, 1], [1, 1], [1, 1], 1)
            })?;
        let bytes: i64 = if device.is_cuda() { 1 << 30 } else { 1 << 28 };
        let (from, to) = (
            Tensor::f_zeros([bytes], (Kind::Uint8, device))?,
            Tensor::f_zeros([bytes], (Kind::Uint8, device))?,
        );
        let copy = fastest(device, || to.shallow_clone().f_copy_(&from))?;
        Ok(Peak {
            flops_per_s: products.max(picture),
            bytes_per_s: 2.0 * bytes as f64 / copy,
        })
    })
}

/// Seconds of the fastest try, after one to warm up.
fn fastest<T>(
    device: Device,
    mut work: impl FnMut() -> std::result::Result<T, tch::TchError>,
) -> Result<f64> {
    work()?;
    let mut seconds = vec![];
    for _ in 0..TRIES {
        wait(device);
        let start = Instant::now();
        drop(work()?);
        wait(device);
        seconds.push(start.elapsed().as_secs_f64().max(1e-9));
    }
    Ok(Spread::of(seconds).least)
}

/// Returns when the device has done all that it was given.
pub fn wait(device: Device) {
    if let Device::Cuda(index) = device {
        Cuda::synchronize(index as i64);
    }
}
