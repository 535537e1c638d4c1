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
pub const LEAST: f64 = 1.0 / 16.0;

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

    /// Divides the gradients by the scale, in place. Those that are not finite stay so.
    pub fn unscale(&self, gradients: &[Tensor]) -> Result<()> {
        let defined = gradients.iter().filter(|gradient| gradient.defined());
        let defined: Vec<_> = defined.map(Tensor::shallow_clone).collect();
        if !defined.is_empty() {
            ffi::unscale(&defined, &self.scale, &self.scale.zeros_like())?;
        }
        Ok(())
    }

    /// Moves the scale after a step of which this was `found`.
    pub fn update(&self, found: &Tensor) -> Result<()> {
        Ok(no_grad(|| {
            ffi::update_scale(&self.scale, &self.clean, found, SCALING)
        })?)
    }

    /// The same, but nothing changes where `skip`, float32 `[1]`, is 1. Nobody waits for it.
    pub fn update_unless(&self, found: &Tensor, skip: &Tensor) -> Result<()> {
        let state = [&self.scale, &self.clean];
        let before = state.map(Tensor::copy);
        self.update(found)?;
        let skips = skip.f_not_equal(0)?;
        for (now, before) in state.into_iter().zip(&before) {
            now.shallow_clone()
                .f_copy_(&before.f_where_self(&skips, now)?)?;
        }
        Ok(())
    }

    /// The scale, float32 `[1]`, as the device has it now.
    pub fn scale(&self) -> Tensor {
        self.scale.copy()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gradient_comes_back_unscaled() {
        let scaler = Scaler::new(Device::Cpu);
        let x = Tensor::from_slice(&[3.0f32]).set_requires_grad(true);
        let loss = scaler.scaled(&x.square().sum(None));
        assert_eq!(loss.double_value(&[]), 9.0 * 65536.0);
        let gradient = Tensor::run_backward(&[loss], &[&x], false, false);
        let rest = Tensor::from_slice(&[65536.0f32, f32::INFINITY, f32::NAN]);
        let all = [gradient[0].shallow_clone(), Tensor::new(), rest];
        scaler.unscale(&all).unwrap();
        assert_eq!(gradient[0].double_value(&[0]), 6.0);
        let rest = Vec::<f32>::try_from(&all[2]).unwrap();
        assert_eq!((rest[0], rest[1]), (1.0, f32::INFINITY));
        assert!(rest[2].is_nan());
    }

    #[test]
    fn the_scale_halves_at_once_and_doubles_after_2000_steps() {
        let scaler = Scaler::new(Device::Cpu);
        let [fine, bad] = [0.0f32, 1.0].map(|found| Tensor::from_slice(&[found]));
        scaler.update(&bad).unwrap();
        assert_eq!(scaler.scale().double_value(&[0]), 32768.0);
        for _ in 0..1999 {
            scaler.update(&fine).unwrap();
        }
        assert_eq!(scaler.scale().double_value(&[0]), 32768.0);
        scaler.update(&fine).unwrap();
        assert_eq!(scaler.scale().double_value(&[0]), 65536.0);
        // A step that is not taken begins the count anew.
        for _ in 0..1500 {
            scaler.update(&fine).unwrap();
        }
        scaler.update(&bad).unwrap();
        assert_eq!(scaler.entries("s")[1].tensor.int64_value(&[0]), 0);
        assert!(scaler.scale().double_value(&[0]) >= LEAST);
        for _ in 0..20 {
            scaler.update(&bad).unwrap();
        }
        assert!(scaler.scale().double_value(&[0]) < LEAST);
    }

    #[test]
    fn a_scaler_that_is_told_to_stays_as_it_is() {
        let scaler = Scaler::new(Device::Cpu);
        let [no, yes] = [0.0f32, 1.0].map(|flag| Tensor::from_slice(&[flag]));
        let state = || {
            (
                scaler.scale().double_value(&[0]),
                scaler.clean.int64_value(&[0]),
            )
        };
        scaler.update_unless(&no, &no).unwrap();
        assert_eq!(state(), (65536.0, 1));
        scaler.update_unless(&yes, &yes).unwrap();
        scaler.update_unless(&no, &yes).unwrap();
        assert_eq!(state(), (65536.0, 1));
        scaler.update_unless(&yes, &no).unwrap();
        assert_eq!(state(), (32768.0, 0));
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
            (
                second.scale().double_value(&[0]),
                second.clean.int64_value(&[0])
            ),
            (32768.0, 1)
        );
    }
}
