//! Optimisers: one state for each parameter group, each with a rate of its own.

pub mod adam;
pub mod larc;
pub mod scaler;
pub mod schedule;
pub mod sgd;

use crate::error::{Error, Result};
pub use crate::ffi::Rate;
use crate::nn::parameters::Entry;
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

    /// Everything that the next step depends on beside parameters, gradients and rate, sharing its storage: a training that is
    /// gone on with sets these. Names are `PREFIX.N.WHAT`, N the place of the parameter in the group, from 0.
    pub fn entries(&self, prefix: &str) -> Vec<Entry> {
        match self {
            Self::Adam(adam) => adam.entries(prefix),
            Self::Sgd(sgd) => sgd.entries(prefix),
            Self::Larc(larc) => larc.entries(prefix),
        }
    }

    /// One step at this rate. `gradients` has one for each parameter; an undefined one leaves its parameter alone. They are used up:
    /// what they hold afterwards means nothing.
    pub fn step(&mut self, gradients: &[Tensor], rate: f64) -> Result<()> {
        self.step_unless(gradients, rate, None)
    }

    /// The same, but nothing changes where `skip`, float32 `[1]` beside the parameters, is 1: the device knows, and nobody waits for it.
    pub fn step_unless<'a>(
        &mut self,
        gradients: &[Tensor],
        rate: impl Into<Rate<'a>>,
        skip: Option<&Tensor>,
    ) -> Result<()> {
        let rate = rate.into();
        // A loss may leave a whole group alone, such as a predictor that it never calls.
        if !gradients.iter().any(Tensor::defined) {
            return Ok(());
        }
        // Kernels that take a whole group go through memory number by number, and parameters lie row by row.
        let in_rows = |gradient: &Tensor| match gradient.defined() {
            true => gradient.contiguous(),
            false => gradient.shallow_clone(),
        };
        let gradients = &gradients.iter().map(in_rows).collect::<Vec<_>>()[..];
        match self {
            Self::Adam(adam) => adam.step(gradients, rate, skip),
            Self::Sgd(sgd) => sgd.step(gradients, rate, skip),
            Self::Larc(larc) => larc.step(gradients, rate, skip),
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

/// Tensors that are kept for each parameter, as entries `PREFIX.N.WHAT`.
fn state(prefix: &str, what: &str, tensors: &[Tensor]) -> impl Iterator<Item = Entry> {
    tensors.iter().enumerate().map(move |(n, tensor)| Entry {
        name: format!("{prefix}.{n}.{what}"),
        tensor: tensor.shallow_clone(),
        is_learned: false,
    })
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

    /// Adam, LARC over it, and SGD, with much decay.
    fn all() -> [hir::Optimiser; 3] {
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
        [adam, larc, sgd]
    }

    /// Two steps and the state, then one more; the same parameters and state given to another optimiser: the same step there.
    #[test]
    fn an_optimiser_given_the_entries_of_another_goes_on_as_it_would() {
        let gradient = |k: f32| {
            [
                Tensor::from_slice(&[0.3 * k, -k]),
                Tensor::from_slice(&[k * k]),
            ]
        };
        for settings in all() {
            let parameters = || {
                vec![
                    Tensor::from_slice(&[2.0f32, -1.0]),
                    Tensor::from_slice(&[0.5f32]),
                ]
            };
            let shared = |of: &[Tensor]| of.iter().map(Tensor::shallow_clone).collect();
            let (first, second) = (parameters(), parameters());
            let mut whole = Optimiser::new(&settings, shared(&first)).unwrap();
            for k in [1.0, -2.0] {
                whole.step(&gradient(k), 0.1).unwrap();
            }
            let mut resumed = Optimiser::new(&settings, shared(&second)).unwrap();
            for (from, to) in first.iter().zip(&second) {
                to.shallow_clone().copy_(from);
            }
            let (from, to) = (whole.entries("v.f"), resumed.entries("v.f"));
            assert!(
                from.iter().any(|entry| entry.name.starts_with("v.f.1.")),
                "{settings:?}"
            );
            for (from, to) in from.iter().zip(&to) {
                assert_eq!(from.name, to.name);
                assert_ne!(from.tensor, to.tensor, "{} has not moved", from.name);
                to.set(&from.tensor).unwrap();
            }
            for optimiser in [&mut whole, &mut resumed] {
                optimiser.step(&gradient(3.0), 0.1).unwrap();
            }
            assert_eq!(first, second, "{settings:?}");
        }
    }

    /// Convolutions hand gradients out as they lie best for them.
    #[test]
    fn how_a_gradient_lies_in_memory_does_not_matter() {
        let rows = Tensor::from_slice(&[0.1f32, 0.2, -0.3, 0.4, 0.5, -0.6]).view([2, 3]);
        let columns = rows.tr().contiguous().tr();
        assert!(rows == columns && !columns.is_contiguous());
        for settings in all() {
            let after = |gradient: &Tensor| {
                let p = rows.copy();
                let mut optimiser = Optimiser::new(&settings, vec![p.shallow_clone()]).unwrap();
                optimiser.step(&[gradient + 0.0], 0.1).unwrap();
                p
            };
            assert_eq!(after(&rows), after(&columns), "{settings:?}");
        }
    }

    #[test]
    fn a_step_that_is_skipped_leaves_parameters_and_state_alone() {
        for settings in all() {
            let p = Tensor::from_slice(&[2.0f32, -1.0]);
            let mut optimiser = Optimiser::new(&settings, vec![p.shallow_clone()]).unwrap();
            let mut step = |gradient: f32, skip: Option<f32>| {
                let gradient = Tensor::from_slice(&[gradient, 0.5]);
                let skip = skip.map(|skip| Tensor::from_slice(&[skip]));
                optimiser
                    .step_unless(&[gradient], 0.1, skip.as_ref())
                    .unwrap();
                let state = optimiser.entries("");
                let state = state.iter().map(|entry| entry.tensor.copy());
                state.chain([p.copy()]).collect::<Vec<_>>()
            };
            let before = step(0.3, None);
            assert_eq!(before, step(f32::INFINITY, Some(1.0)), "{settings:?}");
            let after = step(0.7, Some(0.0));
            assert_ne!(before, after, "{settings:?}");
            let q = Tensor::from_slice(&[2.0f32, -1.0]);
            let mut whole = Optimiser::new(&settings, vec![q.shallow_clone()]).unwrap();
            for gradient in [0.3f32, 0.7] {
                whole
                    .step(&[Tensor::from_slice(&[gradient, 0.5])], 0.1)
                    .unwrap();
            }
            assert_eq!(q, p, "{settings:?}");
        }
    }

    #[test]
    fn a_group_that_no_gradient_reaches_is_left_alone() {
        for settings in all() {
            let p = Tensor::from_slice(&[2.0f32]);
            let mut optimiser = Optimiser::new(&settings, vec![p.shallow_clone()]).unwrap();
            optimiser.step(&[Tensor::new()], 0.1).unwrap();
            assert_eq!(p.double_value(&[0]), 2.0);
        }
    }
}
