//! A linear layer on features with dropout before it, as classifiers of the released code have it: orthogonal weights, biases at zero.

use crate::augment::Key;
use crate::error::Result;
use tch::{Device, Kind, Tensor};

/// The layer.
#[derive(Debug)]
pub struct Layer {
    weight: Tensor,
    bias: Tensor,
}

impl Layer {
    /// From `width` values to `classes` scores. Its weights are those of [`orthogonal`] under `key`.
    pub fn new(
        key: &Key,
        (width, classes): (usize, usize),
        (kind, device): (Kind, Device),
    ) -> Result<Self> {
        let weight = orthogonal(key, classes, width)?.f_to_kind(kind)?;
        let weight = weight.f_to_device(device)?;
        let bias = Tensor::f_zeros([classes as i64], (kind, device))?;
        Ok(Self::of(weight, bias))
    }

    /// With these as its first values, `[classes, width]` and `[classes]`.
    pub fn of(weight: Tensor, bias: Tensor) -> Self {
        Self {
            weight: weight.set_requires_grad(true),
            bias: bias.set_requires_grad(true),
        }
    }

    /// Weight and bias, sharing their storage.
    pub fn parameters(&self) -> Vec<Tensor> {
        vec![self.weight.shallow_clone(), self.bias.shallow_clone()]
    }

    /// The scores `[B, classes]` of features `[B, width]`.
    pub fn scores(&self, features: &Tensor) -> Result<Tensor> {
        Ok(features.f_linear(&self.weight, Some(&self.bias))?)
    }

    /// The same in training: each value is dropped with the probability `drop`, as drawn under `key`, and the others grow by as much.
    pub fn forward(&self, features: &Tensor, drop: f64, key: &Key) -> Result<Tensor> {
        match drop > 0.0 {
            true => self.scores(&features.f_mul(&kept(key, features, drop)?)?),
            false => self.scores(features),
        }
    }
}

/// 0 where a value is dropped, else `1 / (1 - drop)`; all 0 where `drop` is 1.
fn kept(key: &Key, like: &Tensor, drop: f64) -> Result<Tensor> {
    let mut draws = key.stream();
    let scale = if drop < 1.0 { 1.0 / (1.0 - drop) } else { 0.0 };
    let kept = |_| match draws.uniform(0.0, 1.0) < drop {
        true => 0.0,
        false => scale as f32,
    };
    let kept: Vec<f32> = (0..like.numel()).map(kept).collect();
    Ok(Tensor::from_slice(&kept)
        .f_view(like.size().as_slice())?
        .f_to_device(like.device())?)
}

/// A matrix `[rows, columns]` whose rows, or columns where these are fewer, are orthonormal, uniform among all such (Saxe et al. 2014):
/// the Q factor of a matrix of normal numbers, its columns with the signs of R's diagonal. Float32, on the CPU.
pub fn orthogonal(key: &Key, rows: usize, columns: usize) -> Result<Tensor> {
    let mut draws = key.draws("weight");
    let (long, short) = (rows.max(columns), rows.min(columns));
    let normal: Vec<f64> = (0..long * short).map(|_| draws.normal()).collect();
    let normal = Tensor::from_slice(&normal).f_view([long as i64, short as i64])?;
    let (q, r) = Tensor::f_linalg_qr(&normal, "reduced")?;
    let q = q.f_mul(&r.f_diagonal(0, 0, 1)?.f_sign()?)?;
    let q = match rows < columns {
        true => q.f_transpose(0, 1)?,
        false => q,
    };
    Ok(q.f_to_kind(Kind::Float)?.f_contiguous()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_orthonormal_and_the_same_each_time() {
        let key = Key::at(3, "linear/1");
        for (rows, columns) in [(3, 7), (7, 3)] {
            let weight = orthogonal(&key, rows, columns).unwrap();
            assert_eq!(weight.size(), [rows as i64, columns as i64]);
            let gram = match rows < columns {
                true => weight.matmul(&weight.transpose(0, 1)),
                false => weight.transpose(0, 1).matmul(&weight),
            };
            let off = gram - Tensor::eye(3, (Kind::Float, Device::Cpu));
            assert!(off.abs().max().double_value(&[]) < 1e-6);
            assert!(weight.equal(&orthogonal(&key, rows, columns).unwrap()));
        }
    }

    #[test]
    fn dropout_keeps_its_share_and_the_mean() {
        let ones = Tensor::ones([40, 100], (Kind::Float, Device::Cpu));
        let kept = kept(&Key::at(1, "drop"), &ones, 0.25).unwrap();
        let share = kept
            .ne(0.0)
            .to_kind(Kind::Double)
            .mean(Kind::Double)
            .double_value(&[]);
        // 4000 draws: five standard deviations are 0.034.
        assert!((share - 0.75).abs() < 0.035, "{share}");
        assert!((kept.max().double_value(&[]) - 4.0 / 3.0).abs() < 1e-6);
    }
}
