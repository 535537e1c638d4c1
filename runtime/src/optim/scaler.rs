//! Dynamic loss scaling for float16: the loss is multiplied by a large number, so that small gradients stay above the smallest float16,
//! and the gradient is divided by it again. A step whose gradient left the range is not taken.
//!
//! Constants and rule are those of PyTorch's `GradScaler`.

use crate::error::Result;
use crate::ffi::{self, Scaling};
use crate::nn::parameters::Entry;
use tch::{Device, Kind, Tensor, no_grad};

/// The first scale.
const FIRST: f64 = 65536.0;

/// Doubled after 2000 steps that were taken, halved after one that was not.
const SCALING: Scaling = Scaling {
    growth: 2.0,
    backoff: 0.5,
    interval: 2000,
};

/// Below this scale gradients are too large for float16 by themselves.
const LEAST: f64 = 1.0 / 16.0;

/// The scale of a training's losses.
#[derive(Debug)]
pub struct Scaler {
    /// float32 `[1]`.
    scale: Tensor,
    /// Steps taken since it last moved, int64 `[1]`.
    clean: Tensor,
}

impl Scaler {
    /// The first scale, beside the parameters.
    pub fn new(device: Device) -> Self {
        Self {
            scale: Tensor::full([1], FIRST, (Kind::Float, device)),
            clean: Tensor::zeros([1], (Kind::Int64, device)),
        }
    }

    /// What the next step depends on, sharing its storage: `PREFIX.scale`, `PREFIX.clean`.
    pub fn entries(&self, prefix: &str) -> Vec<Entry> {
        let all = [("scale", &self.scale), ("clean", &self.clean)];
        let entry = |(what, tensor): (&str, &Tensor)| Entry {
            name: format!("{prefix}.{what}"),
            tensor: tensor.shallow_clone(),
            is_learned: false,
        };
        all.map(entry).into()
    }

    /// The objective times the scale: what gradients are taken of.
    pub fn scaled(&self, objective: &Tensor) -> Tensor {
        objective * self.scale.squeeze()
    }

    /// Divides the gradients by the scale, in place. Returns float32 `[1]`: 1 where one of their numbers is not finite, else 0. Nobody
    /// waits for it.
    pub fn unscale(&self, gradients: &[Tensor]) -> Result<Tensor> {
        let found = self.scale.zeros_like();
        let defined: Vec<_> = gradients.iter().filter(|g| g.defined()).collect();
        let defined: Vec<_> = defined.into_iter().map(Tensor::shallow_clone).collect();
        if !defined.is_empty() {
            ffi::unscale(&defined, &self.scale, &found)?;
        }
        Ok(found)
    }

    /// Moves the scale after a step that [`Scaler::unscale`] `found` this about.
    pub fn update(&self, found: &Tensor) -> Result<()> {
        Ok(no_grad(|| {
            ffi::update_scale(&self.scale, &self.clean, found, SCALING)
        })?)
    }

    /// The scale, read from the device.
    pub fn scale(&self) -> f64 {
        self.scale.double_value(&[0])
    }

    /// Whether the scale has fallen so low that it is not the scale that makes gradients too large.
    pub fn is_exhausted(&self) -> bool {
        self.scale() < LEAST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradients(values: [f32; 2]) -> [Tensor; 2] {
        [
            Tensor::from_slice(&values[..1]),
            Tensor::from_slice(&values[1..]),
        ]
    }

    #[test]
    fn a_gradient_comes_back_unscaled_and_is_found_out() {
        let scaler = Scaler::new(Device::Cpu);
        let x = Tensor::from_slice(&[3.0f32]).set_requires_grad(true);
        let loss = scaler.scaled(&x.square().sum(None));
        assert_eq!(loss.double_value(&[]), 9.0 * 65536.0);
        let gradient = Tensor::run_backward(&[loss], &[&x], false, false);
        let found = scaler
            .unscale(&[gradient[0].shallow_clone(), Tensor::new()])
            .unwrap();
        assert_eq!(
            (gradient[0].double_value(&[0]), found.double_value(&[0])),
            (6.0, 0.0)
        );
        for bad in [f32::INFINITY, f32::NAN] {
            let found = scaler.unscale(&gradients([1.0, bad])).unwrap();
            assert_eq!(found.double_value(&[0]), 1.0, "{bad}");
        }
    }

    #[test]
    fn the_scale_halves_at_once_and_doubles_after_2000_steps() {
        let scaler = Scaler::new(Device::Cpu);
        let [fine, bad] = [0.0f32, 1.0].map(|found| Tensor::from_slice(&[found]));
        scaler.update(&bad).unwrap();
        assert_eq!(scaler.scale(), 32768.0);
        for _ in 0..1999 {
            scaler.update(&fine).unwrap();
        }
        assert_eq!(scaler.scale(), 32768.0);
        scaler.update(&fine).unwrap();
        assert_eq!(scaler.scale(), 65536.0);
        // A step that is not taken begins the count anew.
        for _ in 0..1500 {
            scaler.update(&fine).unwrap();
        }
        scaler.update(&bad).unwrap();
        assert_eq!(scaler.entries("s")[1].tensor.int64_value(&[0]), 0);
        assert!(!scaler.is_exhausted());
        for _ in 0..20 {
            scaler.update(&bad).unwrap();
        }
        assert!(scaler.is_exhausted());
    }

    #[test]
    fn a_scaler_given_the_entries_of_another_is_that_one() {
        let (first, second) = (Scaler::new(Device::Cpu), Scaler::new(Device::Cpu));
        first.update(&Tensor::from_slice(&[1.0f32])).unwrap();
        first.update(&Tensor::from_slice(&[0.0f32])).unwrap();
        for (from, to) in first.entries("scaler").iter().zip(second.entries("scaler")) {
            assert_eq!(from.name, to.name);
            to.set(&from.tensor).unwrap();
        }
        assert_eq!(
            (second.scale(), second.clean.int64_value(&[0])),
            (32768.0, 1)
        );
    }
}
