//! The numbers of a step that are watched: taken on its device, sent in one transfer, read when they are there.

use super::spread;
use crate::error::Result;
use crate::execute::{Outputs, Program};
use crate::ffi::{self, Mark};
use crate::ranks::Ranks;
use crate::train::Group;
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

/// The numbers of a step where they were computed.
#[derive(Debug)]
pub struct Gauges {
    /// The loss, the gradients, then the others.
    names: Vec<Name>,
    /// `[names]`, float64.
    values: Tensor,
}

/// The numbers of a step on their way to the host.
#[derive(Debug)]
pub struct Sent {
    names: Vec<Name>,
    /// On the CPU, to be read behind the mark.
    values: Tensor,
    mark: Mark,
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
    /// Of the loss, in float16.
    Scale,
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
    /// What the loss was multiplied by before its gradient was taken, in float16.
    pub scale: Option<f64>,
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
        let (mut names, mut values) = of_loss(&outputs.objective, groups, gradients)?;
        for (own, value) in program.term_values(outputs) {
            names.extend(own.into_iter().map(Name::Term));
            values.push(value.detach());
        }
        for (modality, views) in program.embeddings(outputs) {
            if let Some(spread) = spread::of(&views, ranks)? {
                names.push(Name::Spread(modality));
                values.push(spread.view(1));
            }
        }
        Self::joined(names, &values)
    }

    /// Of a step that gave this loss, a scalar, and these `gradients`, one for each parameter of the `groups` in their order.
    pub fn of_loss(loss: &Tensor, groups: &[Group], gradients: &[Tensor]) -> Result<Self> {
        let (names, values) = of_loss(loss, groups, gradients)?;
        Self::joined(names, &values)
    }

    fn joined(names: Vec<Name>, values: &[Tensor]) -> Result<Self> {
        let values: Vec<_> = values.iter().map(|x| x.to_kind(Kind::Double)).collect();
        Ok(Self {
            names,
            values: Tensor::f_cat(&values, 0)?,
        })
    }

    /// The same with the scale of the loss, `[1]`.
    pub fn with_scale(mut self, scale: &Tensor) -> Result<Self> {
        self.names.push(Name::Scale);
        self.values = Tensor::f_cat(&[&self.values, &scale.to_kind(Kind::Double)], 0)?;
        Ok(self)
    }

    /// Whether loss and gradients are numbers that one can step on, `[1]` on the device: [`Readings::is_finite`] before it is read.
    pub fn is_finite(&self) -> Result<Tensor> {
        let is_checked = |name: &&Name| matches!(name, Name::Loss | Name::Gradient(_));
        let checked = self.names.iter().take_while(is_checked).count();
        let finite = self.values.f_narrow(0, 0, checked as i64)?.f_isfinite()?;
        Ok(finite.f_all()?.f_view(1)?)
    }

    /// Whether the loss is, `[1]` on the device.
    pub fn is_loss_finite(&self) -> Result<Tensor> {
        Ok(self.values.f_narrow(0, 0, 1)?.f_isfinite()?)
    }

    /// The scale of the loss, `[1]` on the device.
    pub fn scale(&self) -> Result<Option<Tensor>> {
        let at = self
            .names
            .iter()
            .position(|name| matches!(name, Name::Scale));
        Ok(at
            .map(|at| self.values.f_narrow(0, at as i64, 1))
            .transpose()?)
    }

    /// Sends them to the host. Nobody waits for them: of a GPU they arrive in page-locked memory, behind what it was given before.
    pub fn send(self) -> Result<Sent> {
        let device = self.values.device();
        let values = self
            .values
            .f_to_device_(Device::Cpu, Kind::Double, true, false)?;
        Ok(Sent {
            names: self.names,
            values,
            mark: Mark::set(device)?,
        })
    }

    /// The same, sharing their memory.
    pub fn shared(&self) -> Self {
        Self {
            names: self.names.clone(),
            values: self.values.shallow_clone(),
        }
    }

    /// Of no step.
    pub fn none(device: Device) -> Self {
        Self {
            names: vec![],
            values: Tensor::zeros([0], (Kind::Double, device)),
        }
    }

    /// Sends and reads them.
    pub fn read(self) -> Result<Readings> {
        self.send()?.read(&Ranks::alone())
    }

    /// The loss and the norm of one gradient, in float16 with a scale.
    #[cfg(test)]
    pub(crate) fn told(loss: f64, norm: f64, scale: Option<f64>) -> Self {
        let names = vec![Name::Loss, Name::Gradient("v.f".to_owned())];
        let values = Tensor::from_slice(&[loss, norm]);
        let told = Self { names, values };
        match scale {
            Some(scale) => told.with_scale(&Tensor::from_slice(&[scale])).unwrap(),
            None => told,
        }
    }
}

impl Sent {
    /// Waits until they are there and reads them. Where one of the `ranks` has failed meanwhile they are without the spread, which alone is
    /// gathered behind the gradient.
    pub fn read(self, ranks: &Ranks) -> Result<Readings> {
        let is_all_there = ranks.wait(|| Ok(self.mark.has_passed()?))?;
        let values = Vec::<f64>::try_from(self.values)?;
        let mut readings = Readings::default();
        for (name, value) in self.names.into_iter().zip(values) {
            match name {
                Name::Loss => readings.loss = value,
                Name::Term(name) => readings.terms.push((name, value)),
                Name::Gradient(group) => readings.gradients.push((group, value)),
                Name::Spread(modality) => drop(readings.spread.insert(modality, value)),
                Name::Scale => readings.scale = Some(value),
            }
        }
        if !is_all_there {
            readings.spread.clear();
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

/// The loss and the gradient of each group.
fn of_loss(
    loss: &Tensor,
    groups: &[Group],
    gradients: &[Tensor],
) -> Result<(Vec<Name>, Vec<Tensor>)> {
    let mut names = vec![Name::Loss];
    let mut rest = gradients;
    let mut of_groups = vec![];
    for group in groups {
        let (own, others) = rest.split_at(group.count());
        of_groups.push(own);
        rest = others;
        names.push(Name::Gradient(group.name.clone()));
    }
    let norms = norms(&of_groups, loss.device())?;
    Ok((names, vec![loss.detach().view(1), norms]))
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
            ..Readings::default()
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
