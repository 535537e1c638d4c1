//! Copies of networks that follow them by an exponential moving average: the targets of BYOL and its relatives.

use super::parameters::{Entry, Parameters};
use super::running::Running;
use super::{Mode, Model, Network, kind, network};
use crate::error::Result;
use crate::ffi;
use compiler::hir;
use compiler::units::Exact;
use std::f64::consts::PI;
use std::rc::Rc;
use tch::{Device, Kind, Tensor, no_grad};

/// Which copy: the group that it follows, and the share of it that a step keeps, at the first step and at the last.
pub type Followed = (String, (Exact, Exact));

/// A copy of a group.
#[derive(Debug)]
pub struct Average {
    of: Followed,
    network: Network,
    parameters: Parameters,
    /// The parameters of the copy and those that they follow, pair by pair.
    pairs: (Vec<Tensor>, Vec<Tensor>),
}

impl Average {
    /// A copy of a group of `model`, with its first values; number `n` of those of the model, from 1. Its tensors are called as those
    /// of the group behind `ema.`, or `ema2.` and so on.
    ///
    /// # Errors
    /// A group that the experiment does not have.
    pub fn new(
        settings: &hir::Pretrain,
        model: &Model,
        of: Followed,
        (n, device): (usize, Device),
    ) -> Result<Self> {
        let parameters = Parameters::new(settings.seed, kind(settings.precision), device);
        let mut parameters = parameters.on(model.ranks());
        // First values are a function of the name, which is that of the group so far.
        let network = network(settings, &of.0, &mut parameters)?;
        let number = if n > 1 { n.to_string() } else { String::new() };
        let parameters = parameters.behind(&format!("ema{number}."));
        let mut groups = model.groups();
        let followed = groups.find(|(name, _)| *name == of.0);
        let followed = followed.map_or_else(Vec::new, |(_, learned)| learned);
        let copies = parameters.learned();
        for (copy, first) in copies.iter().zip(&followed) {
            no_grad(|| copy.shallow_clone().f_copy_(first))?;
        }
        Ok(Self {
            of,
            network,
            parameters,
            pairs: (copies, followed),
        })
    }

    /// Which copy it is.
    pub fn of(&self) -> &Followed {
        &self.of
    }

    /// What it makes of `x`, without a gradient.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        no_grad(|| self.network.forward(x, mode))
    }

    /// Parameters and running statistics.
    pub fn entries(&self) -> &[Entry] {
        self.parameters.entries()
    }

    /// The running statistics of its layers.
    pub fn running(&self) -> impl Iterator<Item = &Rc<Running>> {
        self.parameters.all_running()
    }

    /// Moves it towards what it follows, at the end of this `step` of `steps`; not where `skip`, float32 `[1]`, is 1. Running statistics
    /// are those of its own calls.
    pub fn follow(&self, step: u64, steps: u64, skip: Option<&Tensor>) -> Result<()> {
        let (copies, followed) = &self.pairs;
        if copies.is_empty() {
            return Ok(());
        }
        let moves = 1.0 - decay(self.of.1, step, steps);
        let first = &copies[0];
        let moves = Tensor::f_full([1], moves, (Kind::Double, first.device()))?;
        let moves = match skip {
            Some(skip) => moves * (1.0 - skip),
            None => moves,
        };
        Ok(ffi::lerp(copies, followed, &moves.to_kind(first.kind()))?)
    }
}

/// The share that is kept at this step: half a cosine from the first share to the last.
///
/// Source: BYOL, section 3.3: `1 - (1 - first) (cos(pi step / steps) + 1) / 2` where the last share is 1.
fn decay((first, last): (Exact, Exact), step: u64, steps: u64) -> f64 {
    let (first, last) = (first.to_f64(), last.to_f64());
    let way = step as f64 / steps.max(1) as f64;
    last - (last - first) * ((PI * way).cos() + 1.0) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_goes_from_the_first_to_the_last_by_half_a_cosine() {
        let ends = (Exact::new(99, 100), Exact::whole(1));
        assert_eq!(decay(ends, 0, 8), 0.99);
        assert!((decay(ends, 4, 8) - 0.995).abs() < 1e-15);
        assert!((decay(ends, 2, 8) - (1.0 - 0.005 * (0.5f64.sqrt() + 1.0))).abs() < 1e-15);
        assert_eq!(decay(ends, 8, 8), 1.0);
        let constant = (Exact::new(1, 2), Exact::new(1, 2));
        assert_eq!(decay(constant, 3, 8), 0.5);
    }
}
