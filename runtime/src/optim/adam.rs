//! Adam as PyTorch's: L2 decay in the gradient, one fused kernel for a group.

use super::{Rate, state, with_gradient};
use crate::error::Result;
use crate::ffi::{self, AdamStep};
use crate::nn::parameters::Entry;
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

    /// Both moments and the count of steps of each parameter, sharing their storage: `PREFIX.N.mean`, `.square`, `.steps`.
    pub fn entries(&self, prefix: &str) -> Vec<Entry> {
        let lists = [
            ("mean", &self.means),
            ("square", &self.squares),
            ("steps", &self.steps),
        ];
        lists
            .into_iter()
            .flat_map(|(what, tensors)| state(prefix, what, tensors))
            .collect()
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
            skip,
        )?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    /// Kingma and Ba 2015, algorithm 1, with the decay added to the gradient: `g = f' + wd w`.
    fn by_hand(mut w: f64, gradients: &[f64], (b1, b2): (f64, f64), decay: f64, rate: f64) -> f64 {
        let (mut m, mut v) = (0.0, 0.0);
        for (t, gradient) in (1..).zip(gradients) {
            let g = gradient + decay * w;
            m = b1 * m + (1.0 - b1) * g;
            v = b2 * v + (1.0 - b2) * g * g;
            let (m_hat, v_hat) = (m / (1.0 - b1.powi(t)), v / (1.0 - b2.powi(t)));
            w -= rate * m_hat / (v_hat.sqrt() + EPS);
        }
        w
    }

    #[test]
    fn several_steps_with_decay_are_those_of_the_paper() {
        let first = [0.5, -2.0, 1e-3];
        let gradients = [
            [0.3, -0.1, 1e-4],
            [-0.2, 0.4, 0.0],
            [0.7, 0.05, -2e-4],
            [0.1, 0.1, 1e-4],
        ];
        let (betas, decay, rate) = ((0.9, 0.999), 0.1, 0.01);
        let w = Tensor::from_slice(&first).to_device(Device::Cpu);
        let mut adam = Adam::new(vec![w.shallow_clone()], betas, decay);
        for gradient in &gradients {
            adam.step(&[Tensor::from_slice(gradient)], rate, None)
                .unwrap();
        }
        for (i, start) in (0..).zip(first) {
            let of_one: Vec<f64> = gradients.iter().map(|g| g[i as usize]).collect();
            let expected = by_hand(start, &of_one, betas, decay, rate);
            let ours = w.double_value(&[i]);
            assert!(
                (ours - expected).abs() < 1e-12 * expected.abs().max(1.0),
                "{ours} {expected}"
            );
        }
    }
}
