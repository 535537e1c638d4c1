//! One pretraining between two of its steps.

use super::descent::{Group, follow, gradients_on, groups};
use super::metrics::StepMetrics;
use crate::data::batch::Batch;
use crate::error::{Error, Result};
use crate::execute::Program;
use crate::memory;
use crate::nn::Model;
use crate::ranks::Ranks;
use crate::ranks::gradients::Gradients;
use crate::watch::gauges::Gauges;
use compiler::plan::Pretrain;
use std::time::Instant;
use tch::{Device, Tensor};

/// A training between two steps.
pub(super) struct Training<'w> {
    work: &'w Pretrain,
    program: Program,
    pub model: Model,
    groups: Vec<Group>,
    gradients: Gradients,
    device: Device,
    /// Of the whole run.
    pub steps: u64,
}

impl<'w> Training<'w> {
    /// Before the first step, as each of these ranks has it.
    pub fn new(work: &'w Pretrain, device: Device, ranks: &Ranks) -> Result<Self> {
        let settings = &work.settings;
        let program = Program::new(work)?;
        let model = Model::on_ranks(settings, program.groups(), device, ranks)?;
        let groups = groups(settings, &model)?;
        let gradients = gradients_on(&groups, ranks)?;
        Ok(Self {
            work,
            program,
            model,
            groups,
            gradients,
            device,
            steps: settings.steps_per_epoch() * u64::from(settings.ep),
        })
    }

    /// The epoch of `wanted` that ends before `step`.
    pub fn epoch_before(&self, step: u64, wanted: &[u32]) -> Option<u32> {
        let per_epoch = self.work.settings.steps_per_epoch();
        let ends = |epoch: &&u32| u64::from(**epoch) * per_epoch == step;
        wanted.iter().find(ends).copied()
    }

    /// How many numbers are trained.
    pub fn parameters(&self) -> u64 {
        let parameters = self.groups.iter().flat_map(|group| &group.parameters);
        parameters.map(|parameter| parameter.numel() as u64).sum()
    }

    /// One step down the gradient of its batch.
    pub fn step(&mut self, step: u64, batch: &Batch) -> Result<StepMetrics> {
        let settings = &self.work.settings;
        let start = Instant::now();
        let outputs = self.program.forward(&self.model, batch, self.device)?;
        let gradients = self.gradients.of(&outputs.objective)?;
        let ranks = self.model.ranks();
        let gauges = Gauges::of(&self.program, &outputs, &self.groups, &gradients, ranks)?;
        let read = gauges.read()?;
        if !read.is_finite() {
            return Err(Error::NotFinite {
                step,
                value: read.loss,
                term: read.bad_term().map(str::to_owned),
                group: read.bad_group().map(str::to_owned),
            });
        }
        follow(&gradients, &mut self.groups, |group| {
            group.rates[step as usize]
        })?;
        let rate = |group: &Group| (group.name.clone(), group.rates[step as usize]);
        Ok(StepMetrics {
            step,
            epoch: step / settings.steps_per_epoch(),
            loss: read.loss,
            gradient: read.gradient(),
            terms: read.terms.into_iter().collect(),
            gradients: read.gradients.into_iter().collect(),
            spread: read.spread,
            rates: self.groups.iter().map(rate).collect(),
            samples_per_s: f64::from(settings.bs) / (batch.waited + start.elapsed()).as_secs_f64(),
            data_wait: batch.waited.as_secs_f64(),
            data_queue: batch.queued,
            peak_memory: memory::peak(self.device),
        })
    }
}

/// The batch where the networks are.
pub(super) fn on_device(batch: Batch, device: Device) -> Result<Batch> {
    let view = |(key, view): (_, Tensor)| Ok((key, view.f_to_device(device)?));
    Ok(Batch {
        views: batch.views.into_iter().map(view).collect::<Result<_>>()?,
        keys: batch.keys,
        waited: batch.waited,
        queued: batch.queued,
    })
}
