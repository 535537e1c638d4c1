//! Sums of many values, in lanes that a processor adds side by side.

/// The sum in f64, the rounding of each of 16 lanes its own.
#[inline]
pub(super) fn sum(values: &[f32]) -> f64 {
    let mut sums = [0.0f64; 16];
    let chunks = values.chunks_exact(16);
    let rest: f64 = chunks.remainder().iter().map(|v| f64::from(*v)).sum();
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(*value);
        }
    }
    sums.iter().sum::<f64>() + rest
}
