//! LARC in clip mode: a gradient is scaled down where the step that it asks for is large beside its parameter.
//!
//! ```text
//! r = trust |p| / (|g| + wd |p| + 1e-8),   m = min(r / rate, 1),   g := (g + wd p) m
//! ```
//!
//! A tensor with |p| = 0 or |g| = 0 keeps its gradient as it is, without decay (every BatchNorm bias at the start). At rate 0,
//! m is 1. As in the released code, from which formula and constant are taken.

use super::{Optimiser, Rate, with_gradient};
use crate::error::{Error, Result};
use crate::ffi;
use crate::nn::parameters::Entry;
use tch::{Tensor, no_grad};

/// Keeps the quotient finite.
const EPS: f64 = 1e-8;

/// LARC over the optimiser of one parameter group.
#[derive(Debug)]
pub struct Larc {
    below: Box<Optimiser>,
    parameters: Vec<Tensor>,
    trust: f64,
    decay: f64,
}

impl Larc {
    /// `below` takes the step and has no decay of its own.
    pub fn new(below: Optimiser, parameters: Vec<Tensor>, trust: f64, decay: f64) -> Self {
        Self {
            below: Box::new(below),
            parameters,
            trust,
            decay,
        }
    }

    /// The state of the optimiser below; LARC has none of its own.
    pub fn entries(&self, prefix: &str) -> Vec<Entry> {
        self.below.entries(prefix)
    }

    /// One step at this rate, unless `skip` is 1. Overwrites the gradients with those that the optimiser below sees.
    pub fn step<'a>(
        &mut self,
        gradients: &[Tensor],
        rate: impl Into<Rate<'a>>,
        skip: Option<&Tensor>,
    ) -> Result<()> {
        let rate = rate.into();
        let parameters = with_gradient(&self.parameters, gradients);
        let defined = with_gradient(gradients, gradients);
        // All on the device, a number for each tensor: nobody waits for a value.
        let (p, g) = no_grad(|| Ok::<_, Error>((ffi::norms(&parameters)?, ffi::norms(&defined)?)))?;
        let is_scaled = p.not_equal(0).logical_and(&g.not_equal(0));
        let factors = rate.divides(&(self.trust * &p / (&g + self.decay * &p + EPS)));
        let factors = factors
            .clamp_max(1.0)
            .where_self(&is_scaled, &p.ones_like());
        let decays = is_scaled.to_kind(p.kind()) * self.decay;
        ffi::scale_with_decay(&parameters, &defined, &decays, &factors)?;
        self.below.step_unless(gradients, rate, skip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::sgd::Sgd;
    use tch::{Device, Kind};

    /// The formula above tensor by tensor, to the last bit: one that is clipped, one that is not, a zero parameter, a zero gradient.
    #[test]
    fn all_tensors_at_once_are_each_by_itself() {
        let options = (Kind::Float, Device::Cpu);
        let (trust, decay, rate): (f64, f64, f64) = (0.02, 0.1, 0.5);
        let cases = [(1.0, 3.0), (50.0, 1e-3), (0.0, 2.0), (1.0, 0.0)];
        let tensors = cases.map(|(p, g)| {
            let of = |size: f64| Tensor::randn([7, 3], options) * size;
            (of(p), of(g))
        });
        let expected = tensors.each_ref().map(|(p, g)| {
            let (p_norm, g_norm) = (p.norm(), g.norm());
            let is_scaled = p_norm.not_equal(0).logical_and(&g_norm.not_equal(0));
            let multiplier = trust * &p_norm / (&g_norm + decay * &p_norm + EPS) / rate;
            ((g + decay * p) * multiplier.clamp_max(1.0)).where_self(&is_scaled, g)
        });
        let parameters: Vec<_> = tensors.iter().map(|(p, _)| p.copy()).collect();
        let shared = || parameters.iter().map(Tensor::shallow_clone).collect();
        let below = Optimiser::Sgd(Sgd::new(shared(), 0.0, 0.0));
        let gradients: Vec<_> = tensors.iter().map(|(_, g)| g.copy()).collect();
        let mut larc = Larc::new(below, shared(), trust, decay);
        larc.step(&gradients, rate, None).unwrap();
        for (found, expected) in gradients.iter().zip(&expected) {
            assert_eq!(found, expected);
        }
        assert_ne!(gradients[0], tensors[0].1);
    }
}
