//! One pretraining between two of its steps.

use super::descent::{Group, follow, gradients_on, groups};
use super::metrics::StepMetrics;
use super::room::{is_out_of_memory, largest};
use crate::data::batch::Batch;
use crate::error::{Error, Result};
use crate::execute::{Outputs, Program};
use crate::ffi::{self, Half};
use crate::memory;
use crate::nn::parameters::Entry;
use crate::nn::{self, Model};
use crate::optim::scaler::Scaler;
use crate::ranks::Ranks;
use crate::ranks::gradients::Gradients;
use crate::watch::gauges::Gauges;
use compiler::plan::Pretrain;
use std::time::Instant;
use tch::{Device, Kind, Tensor};

/// A training between two steps.
pub(crate) struct Training<'w> {
    work: &'w Pretrain,
    pub program: Program,
    pub model: Model,
    groups: Vec<Group>,
    gradients: Gradients,
    /// Where the networks compute in float16.
    scaler: Option<Scaler>,
    /// 1 where the scaler found that the last gradients are no numbers to step on.
    skip: Option<Tensor>,
    pub device: Device,
    /// Running statistics, sharing their storage with the model, and what they were before the last step.
    statistics: Vec<Tensor>,
    kept: Vec<Tensor>,
    /// Of the whole run.
    pub steps: u64,
    /// The state is that before a step or behind it, and not of half a step.
    pub is_whole: bool,
}

impl<'w> Training<'w> {
    /// Before the first step, as each of these ranks has it.
    pub fn new(work: &'w Pretrain, device: Device, ranks: &Ranks) -> Result<Self> {
        let settings = &work.settings;
        let program = Program::new(work)?;
        let model = Model::on_ranks(settings, program.groups(), device, ranks)?;
        let groups = groups(settings, &model)?;
        let gradients = gradients_on(&groups, ranks)?;
        let statistics = model.entries().filter(|entry| !entry.is_learned);
        let statistics: Vec<_> = statistics
            .map(|entry| entry.tensor.shallow_clone())
            .collect();
        Ok(Self {
            work,
            program,
            model,
            groups,
            gradients,
            scaler: (nn::half(settings.precision, device) == Some(Half::Float16))
                .then(|| Scaler::new(device)),
            skip: None,
            device,
            kept: statistics.iter().map(Tensor::copy).collect(),
            statistics,
            steps: settings.steps_per_epoch() * u64::from(settings.ep),
            is_whole: true,
        })
    }

    /// The epoch of `wanted` that ends before `step`.
    pub fn epoch_before(&self, step: u64, wanted: &[u32]) -> Option<u32> {
        let per_epoch = self.work.settings.steps_per_epoch();
        let ends = |epoch: &&u32| u64::from(**epoch) * per_epoch == step;
        wanted.iter().find(ends).copied()
    }

    /// Everything that the steps to come depend on beside the plan and the batches, sharing its storage.
    pub fn state(&self) -> Vec<Entry> {
        let model = self.model.entries().map(Entry::shared);
        let groups = self.groups.iter();
        let optimisers = groups.flat_map(|group| {
            group
                .optimiser
                .entries(&format!("optimiser.{}", group.name))
        });
        let scaler = self
            .scaler
            .iter()
            .flat_map(|scaler| scaler.entries("scaler"));
        model.chain(optimisers).chain(scaler).collect()
    }

    /// How many numbers are trained.
    pub fn parameters(&self) -> u64 {
        let parameters = self.groups.iter().flat_map(|group| &group.parameters);
        parameters.map(|parameter| parameter.numel() as u64).sum()
    }

    /// The kind of the parameters.
    pub fn kind(&self) -> Kind {
        nn::kind(self.work.settings.precision)
    }

    /// One forward pass.
    pub fn forward(&self, batch: &Batch) -> Result<Outputs> {
        let forward = || self.program.forward(&self.model, batch, self.device);
        self.model.ranks().caught(forward)
    }

    /// The gradient of the objective in the parameters of all groups.
    pub fn gradients(&mut self, outputs: &Outputs) -> Result<Vec<Tensor>> {
        let Some(scaler) = &self.scaler else {
            return self.gradients.of(&outputs.objective);
        };
        let gradients = self.gradients.of(&scaler.scaled(&outputs.objective))?;
        self.skip = Some(scaler.unscale(&gradients)?);
        Ok(gradients)
    }

    /// What is watched of a step.
    pub fn gauges(&self, outputs: &Outputs, gradients: &[Tensor]) -> Result<Gauges> {
        Gauges::of(
            &self.program,
            outputs,
            &self.groups,
            gradients,
            self.model.ranks(),
        )
    }

    /// One step down the gradient of its batch. One that is not finite is not taken: the state is then that before it. In float16 that
    /// is no error as long as a smaller scale of the loss can help. An error that not all ranks meet ends all of them.
    pub fn step(&mut self, step: u64, batch: &Batch) -> Result<StepMetrics> {
        let mut stepped = self.try_step(step, batch);
        if stepped.is_err() && self.is_whole {
            ffi::copy(&self.statistics, &self.kept)?;
        }
        if let Err(error) = &stepped
            && is_out_of_memory(error)
        {
            stepped = Err(self.out_of_memory(batch)?);
        }
        if let Err(error) = &stepped
            && !matches!(error, Error::NotFinite { .. })
        {
            self.model.ranks().fail(error);
        }
        stepped
    }

    /// What there is room for on this device, tried on the front of the batch. One of several ranks does not try: the others wait for
    /// what it would send.
    fn out_of_memory(&mut self, batch: &Batch) -> Result<Error> {
        let samples = self.work.settings.bs;
        let fits = match self.model.ranks().count() {
            1 => largest(samples, |rows| {
                let part = front(batch, i64::from(rows));
                let tried = self
                    .forward(&part)
                    .and_then(|outputs| self.gradients(&outputs));
                match tried {
                    Ok(_) => Ok(true),
                    Err(error) if is_out_of_memory(&error) => Ok(false),
                    Err(error) => Err(error),
                }
            })?,
            _ => None,
        };
        ffi::copy(&self.statistics, &self.kept)?;
        Ok(Error::OutOfMemory { samples, fits })
    }

    fn try_step(&mut self, step: u64, batch: &Batch) -> Result<StepMetrics> {
        let settings = &self.work.settings;
        let start = Instant::now();
        // A forward pass moves the running statistics, whatever comes of it.
        ffi::copy(&self.kept, &self.statistics)?;
        let outputs = self.forward(batch)?;
        let gradients = self.gradients(&outputs)?;
        let read = self.gauges(&outputs, &gradients)?.read()?;
        let can_scale = |scaler: &Scaler| read.loss.is_finite() && !scaler.is_exhausted();
        let is_skipped = !read.is_finite() && self.scaler.as_ref().is_some_and(can_scale);
        if !read.is_finite() {
            ffi::copy(&self.statistics, &self.kept)?;
        }
        if !read.is_finite() && !is_skipped {
            return Err(Error::NotFinite {
                step,
                value: read.loss,
                term: read.bad_term().map(str::to_owned),
                group: read.bad_group().map(str::to_owned),
                replay: None,
            });
        }
        let scale = self.scaler.as_ref().map(Scaler::scale);
        self.is_whole = false;
        follow(&gradients, &mut self.groups, self.skip.as_ref(), |group| {
            group.rates[step as usize]
        })?;
        if let (Some(scaler), Some(found)) = (&self.scaler, &self.skip) {
            scaler.update(found)?;
        }
        self.is_whole = true;
        let rate = |group: &Group| (group.name.clone(), group.rates[step as usize]);
        Ok(StepMetrics {
            step,
            epoch: step / settings.steps_per_epoch(),
            loss: read.loss,
            gradient: read.gradient(),
            scale,
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

/// The first samples of a batch.
fn front(batch: &Batch, rows: i64) -> Batch {
    let view = |(key, view): (&(String, u32), &Tensor)| (key.clone(), view.narrow(0, 0, rows));
    Batch {
        views: batch.views.iter().map(view).collect(),
        keys: batch.keys.iter().take(rows as usize).cloned().collect(),
        waited: batch.waited,
        queued: batch.queued,
    }
}

/// The batch where the networks are.
pub(crate) fn on_device(batch: Batch, device: Device) -> Result<Batch> {
    let view = |(key, view): (_, Tensor)| Ok((key, view.f_to_device(device)?));
    Ok(Batch {
        views: batch.views.into_iter().map(view).collect::<Result<_>>()?,
        keys: batch.keys,
        waited: batch.waited,
        queued: batch.queued,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_front_of_a_batch_has_its_first_samples() {
        let view = Tensor::arange(12, (Kind::Float, Device::Cpu)).view([4, 3]);
        let batch = Batch {
            views: [(("v".to_owned(), 1), view.shallow_clone())].into(),
            keys: (0..4)
                .map(|at| crate::augment::Key::new(0, at, 0))
                .collect(),
            waited: Duration::ZERO,
            queued: 4,
        };
        let part = front(&batch, 2);
        assert_eq!(part.views[&("v".to_owned(), 1)], view.narrow(0, 0, 2));
        assert_eq!(part.keys.len(), 2);
    }
}
