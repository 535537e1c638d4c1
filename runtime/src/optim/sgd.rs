//! SGD with momentum as PyTorch's: L2 decay in the gradient, no dampening, one fused kernel for a group.

use super::{Rate, state, with_gradient};
use crate::error::Result;
use crate::ffi;
use crate::nn::parameters::Entry;
use tch::Tensor;

/// SGD over one parameter group.
#[derive(Debug)]
pub struct Sgd {
    parameters: Vec<Tensor>,
    momenta: Vec<Tensor>,
    momentum: f64,
    decay: f64,
}

impl Sgd {
    /// Momenta start at 0, which makes the first of them the gradient, as PyTorch has it.
    pub fn new(parameters: Vec<Tensor>, momentum: f64, decay: f64) -> Self {
        let momenta = parameters.iter().map(|p| p.detach().zeros_like()).collect();
        Self {
            parameters,
            momenta,
            momentum,
            decay,
        }
    }

    /// The momentum of each parameter, sharing its storage: `PREFIX.N.momentum`.
    pub fn entries(&self, prefix: &str) -> Vec<Entry> {
        state(prefix, "momentum", &self.momenta).collect()
    }

    /// One step at this rate, unless `skip` is 1.
    pub fn step<'a>(
        &mut self,
        gradients: &[Tensor],
        rate: impl Into<Rate<'a>>,
        skip: Option<&Tensor>,
    ) -> Result<()> {
        let rate = rate.into();
        let of = |tensors: &[Tensor]| with_gradient(tensors, gradients);
        let (parameters, momenta) = (of(&self.parameters), of(&self.momenta));
        Ok(ffi::sgd(
            &parameters,
            &of(gradients),
            &momenta,
            rate,
            self.momentum,
            self.decay,
            skip,
        )?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_momentum_the_step_is_the_gradient() {
        let p = Tensor::from_slice(&[1.0f64]);
        let mut sgd = Sgd::new(vec![p.shallow_clone()], 0.0, 0.0);
        sgd.step(&[Tensor::from_slice(&[2.0f64])], 0.25, None)
            .unwrap();
        assert_eq!(p.double_value(&[0]), 0.5);
    }

    /// p = 1, g = 1 twice at rate 0.1, momentum 0.5, decay 0.1, by hand: m = 1.1, p = 0.89; m = 0.55 + 1.089, p = 0.7261.
    #[test]
    fn two_steps_agree_with_pytorchs_formula() {
        let p = Tensor::from_slice(&[1.0f64]).set_requires_grad(true);
        let mut sgd = Sgd::new(vec![p.shallow_clone()], 0.5, 0.1);
        for expected in [0.89, 0.7261] {
            sgd.step(&[Tensor::from_slice(&[1.0f64])], 0.1, None)
                .unwrap();
            assert!((p.double_value(&[0]) - expected).abs() < 1e-12);
        }
    }
}
