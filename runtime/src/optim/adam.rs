//! Adam as PyTorch's: L2 decay in the gradient, one fused kernel for a group.

use super::with_gradient;
use crate::error::Result;
use crate::ffi::{self, AdamStep};
use tch::{Kind, Tensor};

/// Added to the root of the second moment; PyTorch's default, which the released code keeps.
const EPS: f64 = 1e-8;

/// Adam over one parameter group.
#[derive(Debug)]
pub struct Adam {
    parameters: Vec<Tensor>,
    means: Vec<Tensor>,
    squares: Vec<Tensor>,
    /// float32 scalars beside the parameters, as the kernel wants them.
    steps: Vec<Tensor>,
    betas: (f64, f64),
    decay: f64,
}

impl Adam {
    /// Both moments start at 0. The decay acts on every parameter, biases and BatchNorm too, as in the released code.
    pub fn new(parameters: Vec<Tensor>, betas: (f64, f64), decay: f64) -> Self {
        let zeros = || parameters.iter().map(|p| p.detach().zeros_like()).collect();
        let steps = parameters
            .iter()
            .map(|p| Tensor::zeros([], (Kind::Float, p.device())))
            .collect();
        Self {
            means: zeros(),
            squares: zeros(),
            steps,
            parameters,
            betas,
            decay,
        }
    }

    /// One step at this rate.
    pub fn step(&mut self, gradients: &[Tensor], rate: f64) -> Result<()> {
        let of = |tensors: &[Tensor]| with_gradient(tensors, gradients);
        let step = AdamStep {
            rate,
            betas: self.betas,
            decay: self.decay,
            eps: EPS,
        };
        let (parameters, means, squares) =
            (of(&self.parameters), of(&self.means), of(&self.squares));
        Ok(ffi::adam(
            &parameters,
            &of(gradients),
            &means,
            &squares,
            &of(&self.steps),
            step,
        )?)
    }
}
