//! The parameter groups of a training and their way down a gradient.

use crate::error::Result;
use crate::nn::parameters::Entry;
use crate::nn::{self, Model};
use crate::optim::{Optimiser, Rate, schedule};
use crate::ranks::Ranks;
use crate::ranks::gradients::Gradients;
use compiler::hir;
use tch::Tensor;

/// A parameter group in training.
#[derive(Debug)]
pub struct Group {
    /// `v.f`, `a.h`, ...
    pub name: String,
    /// The learning rate of each step.
    pub rates: Vec<f64>,
    pub(super) parameters: Vec<Tensor>,
    pub(super) optimiser: Optimiser,
}

impl Group {
    /// These parameters down their gradients by a new optimiser, at a rate for each step.
    pub fn new(
        name: &str,
        parameters: Vec<Tensor>,
        optimiser: &hir::Optimiser,
        rates: Vec<f64>,
    ) -> Result<Self> {
        let shared = parameters.iter().map(Tensor::shallow_clone).collect();
        Ok(Self {
            name: name.to_owned(),
            rates,
            optimiser: Optimiser::new(optimiser, shared)?,
            parameters,
        })
    }

    /// The state of its optimiser, sharing its storage.
    pub fn entries(&self) -> Vec<Entry> {
        self.optimiser.entries(&format!("optimiser.{}", self.name))
    }

    /// How many parameters it has.
    pub fn count(&self) -> usize {
        self.parameters.len()
    }
}

/// The groups of the model: `lr_b` is the rate of an `f` and of a linear layer of the loss, `lr_p` that of an `h`.
pub fn groups(settings: &hir::Pretrain, model: &Model) -> Result<Vec<Group>> {
    let group = |(name, parameters): (&str, Vec<Tensor>)| {
        let owner = match name.split_once('.') {
            Some((modality, part)) => settings.modality(modality).zip(Some(part)),
            // A linear layer of the loss goes at the rate of the first network whose embeddings it takes.
            None => nn::linear_of(settings, name).map(|(_, modality)| (modality, "f")),
        };
        let (modality, part) = owner.expect("the model has built this group from its modality");
        let schedule = if part == "f" {
            &modality.lr_b
        } else {
            &modality.lr_p
        };
        let rates = schedule::rates(schedule, settings.steps_per_epoch(), settings.ep);
        Group::new(name, parameters, &settings.optim, rates)
    };
    model.groups().map(group).collect()
}

/// One step of every group's optimiser down the gradient of `objective`, at the rate that `rate` gives the group. For one process.
pub fn descend(
    objective: &Tensor,
    groups: &mut [Group],
    rate: impl Fn(&Group) -> f64,
) -> Result<()> {
    let gradients = gradients(objective, groups)?;
    follow(&gradients, groups, None, rate)
}

/// The gradient of `objective` in the parameters of all groups, one after the other. For one process.
pub fn gradients(objective: &Tensor, groups: &[Group]) -> Result<Vec<Tensor>> {
    gradients_on(groups, &Ranks::alone())?.of(objective)
}

/// What makes the gradients of all groups, one after the other, on these ranks.
pub fn gradients_on(groups: &[Group], ranks: &Ranks) -> Result<Gradients> {
    let parameters = groups.iter().flat_map(|group| &group.parameters);
    Gradients::new(parameters.map(Tensor::shallow_clone).collect(), ranks)
}

/// One step of every group's optimiser down these [`gradients`], which are used up; nothing changes where `skip` is 1.
pub fn follow<'a, R: Into<Rate<'a>>>(
    gradients: &[Tensor],
    groups: &mut [Group],
    skip: Option<&Tensor>,
    rate: impl Fn(&Group) -> R,
) -> Result<()> {
    let mut rest = gradients;
    for group in groups {
        let (own, others) = rest.split_at(group.parameters.len());
        group.optimiser.step_unless(own, rate(group), skip)?;
        rest = others;
    }
    Ok(())
}
