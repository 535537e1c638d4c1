//! Optimisers: one state for each parameter group, each with a rate of its own.

pub mod adam;
pub mod larc;
pub mod schedule;
pub mod sgd;

use crate::error::{Error, Result};
use adam::Adam;
use compiler::hir;
use larc::Larc;
use sgd::Sgd;
use tch::Tensor;

/// The optimiser of one parameter group.
#[derive(Debug)]
pub enum Optimiser {
    /// Adam.
    Adam(Adam),
    /// SGD with momentum.
    Sgd(Sgd),
    /// LARC over one of them.
    Larc(Larc),
}

impl Optimiser {
    /// The optimiser that the experiment names, over these parameters.
    pub fn new(settings: &hir::Optimiser, parameters: Vec<Tensor>) -> Result<Self> {
        Ok(match settings {
            hir::Optimiser::Adam { betas, wd } => Self::Adam(Adam::new(
                parameters,
                (betas.0.to_f64(), betas.1.to_f64()),
                wd.to_f64(),
            )),
            hir::Optimiser::Sgd { mtm, wd } => {
                Self::Sgd(Sgd::new(parameters, mtm.to_f64(), wd.to_f64()))
            }
            hir::Optimiser::Larc { inner, trust } => {
                // LARC applies the decay itself, so the optimiser below it has none.
                let (inner, decay) = without_decay(inner)?;
                let below = Self::new(
                    &inner,
                    parameters.iter().map(Tensor::shallow_clone).collect(),
                )?;
                Self::Larc(Larc::new(below, parameters, trust.to_f64(), decay))
            }
        })
    }

    /// One step at this rate. `gradients` has one for each parameter; an undefined one leaves its parameter alone.
    pub fn step(&mut self, gradients: &[Tensor], rate: f64) -> Result<()> {
        // A loss may leave a whole group alone, such as a predictor that it never calls.
        if !gradients.iter().any(Tensor::defined) {
            return Ok(());
        }
        match self {
            Self::Adam(adam) => adam.step(gradients, rate),
            Self::Sgd(sgd) => sgd.step(gradients, rate),
            Self::Larc(larc) => larc.step(gradients, rate),
        }
    }
}

/// The same optimiser without weight decay, and that decay.
fn without_decay(settings: &hir::Optimiser) -> Result<(hir::Optimiser, f64)> {
    let none = compiler::units::Exact::whole(0);
    match settings {
        hir::Optimiser::Adam { betas, wd } => Ok((
            hir::Optimiser::Adam {
                betas: *betas,
                wd: none,
            },
            wd.to_f64(),
        )),
        hir::Optimiser::Sgd { mtm, wd } => Ok((
            hir::Optimiser::Sgd {
                mtm: *mtm,
                wd: none,
            },
            wd.to_f64(),
        )),
        hir::Optimiser::Larc { .. } => Err(Error::Unsupported {
            message: "LARC over LARC would clip twice; write it once".to_owned(),
        }),
    }
}

/// `tensors[i]` for the positions whose gradient is defined.
fn with_gradient(tensors: &[Tensor], gradients: &[Tensor]) -> Vec<Tensor> {
    let pairs = tensors.iter().zip(gradients);
    pairs
        .filter(|(_, gradient)| gradient.defined())
        .map(|(tensor, _)| tensor.shallow_clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use compiler::units::Exact;

    #[test]
    fn a_group_that_no_gradient_reaches_is_left_alone() {
        let adam = hir::Optimiser::Adam {
            betas: (Exact::new(9, 10), Exact::new(999, 1000)),
            wd: Exact::new(1, 10),
        };
        let larc = hir::Optimiser::Larc {
            inner: Box::new(adam.clone()),
            trust: Exact::new(1, 1000),
        };
        let sgd = hir::Optimiser::Sgd {
            mtm: Exact::new(9, 10),
            wd: Exact::new(1, 10),
        };
        for settings in [adam, larc, sgd] {
            let p = Tensor::from_slice(&[2.0f32]);
            let mut optimiser = Optimiser::new(&settings, vec![p.shallow_clone()]).unwrap();
            optimiser.step(&[Tensor::new()], 0.1).unwrap();
            assert_eq!(p.double_value(&[0]), 2.0);
        }
    }
}
