//! The numbers of a step that are watched: taken on its device, read in one transfer.

use super::spread;
use crate::error::Result;
use crate::execute::{Outputs, Program};
use crate::ffi;
use crate::ranks::Ranks;
use crate::train::Group;
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

/// The numbers of a step where they were computed.
#[derive(Debug)]
pub struct Gauges {
    names: Vec<Name>,
    /// `[names]`, float64.
    values: Tensor,
}

/// What a number is.
#[derive(Clone, Debug)]
enum Name {
    Loss,
    Term(String),
    /// Of a parameter group.
    Gradient(String),
    /// Of a modality.
    Spread(String),
}

/// The numbers of a step, read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Readings {
    /// The objective.
    pub loss: f64,
    /// The value of each term in the order of the step, by name.
    pub terms: Vec<(String, f64)>,
    /// The Euclidean norm of the gradient of each parameter group, in their order; 0 where no gradient reaches it.
    pub gradients: Vec<(String, f64)>,
    /// The spread of the embeddings of each modality; none where a batch has one sample.
    pub spread: BTreeMap<String, f64>,
}

impl Gauges {
    /// Of a step that gave these `outputs` and these `gradients`, one for each parameter of the `groups` in their order, on each of
    /// the `ranks`. Nothing waits for the device.
    pub fn of(
        program: &Program,
        outputs: &Outputs,
        groups: &[Group],
        gradients: &[Tensor],
        ranks: &Ranks,
    ) -> Result<Self> {
        let mut names = vec![Name::Loss];
        let mut values = vec![outputs.objective.detach().view(1)];
        for (own, value) in program.term_values(outputs) {
            names.extend(own.into_iter().map(Name::Term));
            values.push(value.detach());
        }
        let mut rest = gradients;
        let mut of_groups = vec![];
        for group in groups {
            let (own, others) = rest.split_at(group.count());
            of_groups.push(own);
            rest = others;
            names.push(Name::Gradient(group.name.clone()));
        }
        values.push(norms(&of_groups, outputs.objective.device())?);
        for (modality, views) in program.embeddings(outputs) {
            if let Some(spread) = spread::of(&views, ranks)? {
                names.push(Name::Spread(modality));
                values.push(spread.view(1));
            }
        }
        let values: Vec<_> = values.iter().map(|x| x.to_kind(Kind::Double)).collect();
        Ok(Self {
            names,
            values: Tensor::cat(&values, 0),
        })
    }

    /// Waits for the device and reads.
    pub fn read(self) -> Result<Readings> {
        let values = Vec::<f64>::try_from(self.values.f_to_device(Device::Cpu)?)?;
        let mut readings = Readings::default();
        for (name, value) in self.names.into_iter().zip(values) {
            match name {
                Name::Loss => readings.loss = value,
                Name::Term(name) => readings.terms.push((name, value)),
                Name::Gradient(group) => readings.gradients.push((group, value)),
                Name::Spread(modality) => drop(readings.spread.insert(modality, value)),
            }
        }
        Ok(readings)
    }
}

impl Readings {
    /// The Euclidean norm of the whole gradient.
    pub fn gradient(&self) -> f64 {
        let squares = self.gradients.iter().map(|(_, norm)| norm * norm);
        squares.sum::<f64>().sqrt()
    }

    /// The first term whose value is not finite.
    pub fn bad_term(&self) -> Option<&str> {
        first_bad(&self.terms)
    }

    /// The first parameter group whose gradient is not finite.
    pub fn bad_group(&self) -> Option<&str> {
        first_bad(&self.gradients)
    }

    /// Whether loss and gradients are numbers that one can step on.
    pub fn is_finite(&self) -> bool {
        self.loss.is_finite() && self.bad_group().is_none()
    }
}

fn first_bad(values: &[(String, f64)]) -> Option<&str> {
    let bad = values.iter().find(|(_, value)| !value.is_finite());
    bad.map(|(name, _)| name.as_str())
}

/// The norm of the gradient of each group, `[groups]` on `device`. Undefined gradients count as 0.
fn norms(groups: &[&[Tensor]], device: Device) -> Result<Tensor> {
    let defined = |group: &&[Tensor]| -> Vec<Tensor> {
        let defined = group.iter().filter(|gradient| gradient.defined());
        defined.map(Tensor::shallow_clone).collect()
    };
    let groups: Vec<Vec<Tensor>> = groups.iter().map(defined).collect();
    let all: Vec<Tensor> = groups.iter().flatten().map(Tensor::shallow_clone).collect();
    if all.is_empty() {
        return Ok(Tensor::zeros([groups.len() as i64], (Kind::Double, device)));
    }
    let each = ffi::norms(&all)?.to_kind(Kind::Double);
    let mut start = 0;
    let mut norms = vec![];
    for group in groups {
        let count = group.len() as i64;
        let own = each.narrow(0, start, count);
        norms.push(own.square().sum(None).sqrt());
        start += count;
    }
    Ok(Tensor::stack(&norms, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_norm_is_that_of_all_gradients_of_the_group() {
        let gradients = [
            Tensor::from_slice(&[3.0f32, 0.0]),
            Tensor::new(),
            Tensor::from_slice(&[-4.0f32]).view([1, 1]),
            Tensor::from_slice(&[f32::NAN]),
        ];
        let groups = [&gradients[..3], &gradients[1..2], &gradients[3..]];
        let found = Vec::<f64>::try_from(norms(&groups, Device::Cpu).unwrap()).unwrap();
        assert_eq!(found[..2], [5.0, 0.0]);
        assert!(found[2].is_nan());
        let none = norms(&[&gradients[1..2], &[]], Device::Cpu).unwrap();
        assert_eq!(Vec::<f64>::try_from(none).unwrap(), [0.0, 0.0]);
    }

    #[test]
    fn the_first_that_is_not_finite_is_named() {
        let named = |values: [f64; 3]| {
            let names = ["b", "a", "c"].map(str::to_owned);
            names.into_iter().zip(values).collect::<Vec<_>>()
        };
        let mut readings = Readings {
            loss: 1.0,
            terms: named([1.0, 2.0, 3.0]),
            gradients: named([2.0, 3.0, 6.0]),
            spread: BTreeMap::new(),
        };
        assert!(readings.is_finite());
        assert_eq!(readings.gradient(), 7.0);
        readings.gradients = named([2.0, f64::NAN, f64::INFINITY]);
        assert!(!readings.is_finite());
        assert_eq!(
            (readings.bad_term(), readings.bad_group()),
            (None, Some("a"))
        );
    }
}
