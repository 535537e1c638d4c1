//! LARC in clip mode: a gradient is scaled down where the step that it asks for is large beside its parameter.
//!
//! ```text
//! r = trust |p| / (|g| + wd |p| + 1e-8),   m = min(r / rate, 1),   g := (g + wd p) m
//! ```
//!
//! A tensor with |p| = 0 or |g| = 0 keeps its gradient as it is, without decay (every BatchNorm bias at the start). At rate 0,
//! m is 1. As in the released code, from which formula and constant are taken.

use super::Optimiser;
use crate::error::Result;
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

    /// One step at this rate.
    pub fn step(&mut self, gradients: &[Tensor], rate: f64) -> Result<()> {
        let pairs = self.parameters.iter().zip(gradients);
        let scaled: Vec<_> = no_grad(|| pairs.map(|(p, g)| self.scaled(p, g, rate)).collect());
        self.below.step(&scaled, rate)
    }

    /// The gradient that the optimiser below sees. All on the device: no value is waited for.
    fn scaled(&self, p: &Tensor, g: &Tensor, rate: f64) -> Tensor {
        if !g.defined() {
            return g.shallow_clone();
        }
        let (p_norm, g_norm) = (p.norm(), g.norm());
        let is_scaled = p_norm.not_equal(0).logical_and(&g_norm.not_equal(0));
        let multiplier = self.trust * &p_norm / (&g_norm + self.decay * &p_norm + EPS) / rate;
        ((g + self.decay * p) * multiplier.clamp_max(1.0)).where_self(&is_scaled, g)
    }
}
