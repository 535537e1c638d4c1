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
