//! One pretraining between two of its steps.

use super::Place;
use super::capture::{self, Capture};
use super::descent::{Group, follow, gradients_on, groups};
use super::guard::{self, Guard};
use super::metrics::StepMetrics;
use super::room::{largest, part};
use super::statistics::Statistics;
use crate::data::batch::{Batch, Clips};
use crate::data::overlaps::Overlaps;
use crate::error::{Error, Result};
use crate::execute::{Outputs, Program};
use crate::ffi::Half;
use crate::memory;
use crate::nn::parameters::Entry;
use crate::nn::{self, Model};
use crate::optim::Rate;
use crate::optim::scaler::Scaler;
use crate::ranks::Ranks;
use crate::ranks::gradients::Gradients;
use crate::watch::gauges::{Gauges, Sent};
use compiler::plan::Pretrain;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tch::{Device, Kind, Tensor, no_grad};

/// A training between two steps.
pub(crate) struct Training<'w> {
    work: &'w Pretrain,
    pub program: Program,
    pub model: Model,
    groups: Vec<Group>,
    pub(super) gradients: Gradients,
    /// Where the networks compute in float16.
    scaler: Option<Scaler>,
    /// Samples of this rank that go through the networks at once, where that is a part of its batch.
    part: Option<i64>,
    statistics: Statistics,
    guard: Guard,
    pub device: Device,
    /// Of the data set, where the loss remembers something of each.
    clips: u64,
    /// Of the whole run.
    pub steps: u64,
    /// The state is that before a step or behind it, and not of half a step.
    pub is_whole: bool,
    /// The numbers of a step are read once the next one has been given to the device, which thus never waits for the host.
    pub reads_late: bool,
    pending: Option<Pending>,
    /// The batch of the step that ended the training.
    failed: Option<Rc<Batch>>,
    /// Where its steps are, or will be, a graph.
    capture: Option<Capture>,
}

/// A step that the device was given and whose numbers have not been read.
struct Pending {
    step: u64,
    batch: Rc<Batch>,
    sent: Sent,
    /// How long it took to give it to the device.
    given: Duration,
}

impl<'w> Training<'w> {
    /// Before the first step, as each of the ranks has it. Numbers are read at once.
    pub fn new(work: &'w Pretrain, place: Place<'_>) -> Result<Self> {
        let Place {
            device,
            ranks,
            clips,
            micro_batch,
        } = place;
        let settings = &work.settings;
        let program = Program::new(work)?;
        let model = program.model(work, (device, ranks), clips)?;
        let groups = groups(settings, &model)?;
        Ok(Self {
            work,
            program,
            gradients: gradients_on(&groups, ranks)?,
            part: micro_batch
                .filter(|part| *part < settings.bs)
                .map(|part| i64::from(part) / ranks.count() as i64),
            statistics: Statistics::of(model.entries())?,
            model,
            groups,
            scaler: (nn::half(settings.precision, device) == Some(Half::Float16))
                .then(|| Scaler::new(device)),
            guard: Guard::new(device),
            device,
            clips,
            steps: settings.steps_per_epoch() * u64::from(settings.ep),
            is_whole: true,
            reads_late: false,
            pending: None,
            failed: None,
            capture: None,
        })
    }

    /// Has the steps from the fourth on recorded as a graph, where so many train side by side. What this thread gives to the device goes
    /// to a stream of this training from here on.
    ///
    /// Errors: why that cannot be, [`Error::Unsupported`].
    pub fn capture(&mut self, beside: usize) -> Result<()> {
        let ranks = self.model.ranks().count();
        if let Some(why) = capture::refusal(self.work, self.device, ranks, beside) {
            let message = format!("the step cannot be a graph of the GPU: {why}");
            return Err(Error::Unsupported { message });
        }
        if self.capture.is_none() {
            self.capture = Some(Capture::new(self.device)?);
        }
        Ok(())
    }

    /// The same on a processor, which computes again what a GPU would be given as a graph: from the same places.
    pub fn stand_in_for_capture(&mut self) -> Result<()> {
        self.capture = Some(Capture::new(self.device)?);
        Ok(())
    }

    /// The epoch of `wanted` that ends before `step`.
    pub fn epoch_before(&self, step: u64, wanted: &[u32]) -> Option<u32> {
        let per_epoch = self.work.settings.steps_per_epoch();
        let ends = |epoch: &&u32| u64::from(**epoch) * per_epoch == step;
        wanted.iter().find(ends).copied()
    }

    /// Everything that the steps to come depend on beside the plan and the batches, sharing its storage.
    pub fn state(&self) -> Vec<Entry> {
        let model = self.model.entries().chain(self.model.bank_entries());
        let model = model.map(Entry::shared);
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
        Error::caught(|| self.program.forward(&self.model, batch, self.device))
    }

    /// The gradient of the objective in the parameters of all groups.
    pub fn gradients(&mut self, outputs: &Outputs) -> Result<Vec<Tensor>> {
        let Some(scaler) = &self.scaler else {
            return self.gradients.of(&outputs.objective);
        };
        let gradients = self.gradients.of(&scaler.scaled(&outputs.objective))?;
        scaler.unscale(&gradients)?;
        Ok(gradients)
    }

    /// What is watched of a step.
    pub fn gauges(&self, outputs: &Outputs, gradients: &[Tensor]) -> Result<Gauges> {
        let gauges = Gauges::of(
            &self.program,
            outputs,
            &self.groups,
            gradients,
            self.model.ranks(),
        )?;
        match &self.scaler {
            Some(scaler) => gauges.with_scale(&scaler.scale()),
            None => Ok(gauges),
        }
    }

    /// One step down the gradient of its batch, and the numbers of a step that were read: of this one, or where they are read late of
    /// the one before, if it has not been settled.
    ///
    /// A step that is not finite is not taken, nor is any behind it: the state is then that before it, and the batch that of
    /// [`Training::take_failed`]. In float16 that is no error as long as a smaller scale of the loss can help. An error that not all ranks
    /// meet ends all of them. Where another error comes of this step, the one before may still have to be settled.
    pub fn step(&mut self, step: u64, batch: &Rc<Batch>) -> Result<Option<StepMetrics>> {
        let begun = self.begin(step, batch)?;
        let read = match self.reads_late {
            true => self.pending.replace(begun),
            false => Some(begun),
        };
        read.map(|begun| self.read(begun)).transpose()
    }

    /// The same, and its own numbers in any case. Nothing may have to be settled.
    pub fn step_and_read(&mut self, step: u64, batch: Batch) -> Result<StepMetrics> {
        let begun = self.begin(step, &Rc::new(batch))?;
        self.read(begun)
    }

    /// Waits for the numbers of the step that has not been settled, if there is one. Its errors are those of [`Training::step`].
    pub fn settle(&mut self) -> Result<Option<StepMetrics>> {
        let pending = self.pending.take();
        pending.map(|pending| self.read(pending)).transpose()
    }

    /// Whether there is a step that has not been settled.
    pub fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// The batch of the step that was not finite.
    pub fn take_failed(&mut self) -> Option<Rc<Batch>> {
        self.failed.take()
    }

    /// Tells the other ranks of an error that they do not meet.
    fn told<T>(&self, outcome: Result<T>) -> Result<T> {
        if let Err(error) = &outcome
            && !matches!(error, Error::NotFinite { .. })
        {
            self.model.ranks().fail(error);
        }
        outcome
    }

    /// What there is room for on this device, tried on the front of the batch. One of several ranks tries alone, with networks of its
    /// own beside its state: the others wait for what it would send, until it tells them what has come of it.
    fn out_of_memory(&mut self, batch: &Batch) -> Error {
        let ranks = u32::try_from(self.model.ranks().count()).unwrap_or(1);
        let batch_size = self.work.settings.bs;
        // Where the batch goes through the networks in parts, what fits is less than one of them.
        let part_in_use = self.part.and_then(|part| u32::try_from(part).ok());
        let samples = part_in_use.unwrap_or(batch_size / ranks);
        let fits = match ranks {
            1 => self.largest(samples, batch),
            _ => {
                let alone = Ranks::alone();
                let tried = Error::caught(|| Self::new(self.work, self.alone(&alone)));
                // Where its networks do not fit a second time, nothing can be tried.
                tried.map_or(None, |mut alone| alone.largest(samples, batch))
            }
        };
        let unit = self.work.divisible().ok();
        // A part is counted over all ranks.
        let part = fits
            .zip(unit)
            .and_then(|(fits, unit)| part(batch_size, fits * ranks, unit * ranks));
        Error::OutOfMemory {
            samples,
            fits,
            part,
            is_beside: false,
        }
    }

    /// Where this rank is, as one that is alone.
    fn alone<'r>(&self, alone: &'r Ranks) -> Place<'r> {
        Place {
            device: self.device,
            ranks: alone,
            clips: self.clips,
            micro_batch: None,
        }
    }

    /// The largest front of the batch below `samples` that fits. On a full device libraries fail in words of their own, so that one
    /// that cannot be computed does not fit, whatever is said of it.
    fn largest(&mut self, samples: u32, batch: &Batch) -> Option<u32> {
        largest(samples, |rows| {
            let tried = Error::caught(|| {
                let part = rows_of(batch, 0, i64::from(rows));
                let outputs = self.program.forward(&self.model, &part, self.device)?;
                self.gradients(&outputs)
            });
            tried.is_ok()
        })
    }

    /// Gives a step to the device. One that fails leaves the state before it, or half of it where it failed on its way down.
    fn begin(&mut self, step: u64, batch: &Rc<Batch>) -> Result<Pending> {
        let start = Instant::now();
        match Error::caught(|| self.give(step, batch)) {
            Ok(sent) => Ok(Pending {
                step,
                batch: Rc::clone(batch),
                sent,
                given: start.elapsed(),
            }),
            Err(error) => {
                let error = match (error.is_of_memory(), error.may_be_of_memory()) {
                    (true, _) => self.out_of_memory(batch),
                    (false, true) => {
                        let found = self.out_of_memory(batch);
                        // Where a smaller step is computed, it was memory.
                        match matches!(found, Error::OutOfMemory { fits: Some(_), .. }) {
                            true => found,
                            false => error,
                        }
                    }
                    (false, false) => error,
                };
                // Both the step and what was tried have moved them. What counts is why the step failed.
                self.model.forget_statistics();
                self.is_whole = self.is_whole && self.statistics.restore().is_ok();
                self.told(Err(error))
            }
        }
    }

    /// The step itself, its numbers sent. Nothing here waits for a GPU, but of several ranks for the gradient of all of them.
    fn give(&mut self, step: u64, batch: &Batch) -> Result<Sent> {
        let number = |group: &Group| Rate::Number(group.rates[step as usize]);
        let capture = self.capture.as_mut();
        let is_ready = capture.is_some_and(|capture| !capture.is_warming_up());
        let capture = if is_ready { self.capture.take() } else { None };
        let Some(mut capture) = capture else {
            return self.compute(batch, number)?.send();
        };
        // A graph keeps them for itself; an error on the way to it needs them, too.
        self.statistics.keep()?;
        let rates = self.groups.iter();
        let rates: Vec<_> = rates
            .map(|group| (group.name.clone(), group.rates[step as usize]))
            .collect();
        let given = capture.give(batch, &rates, &mut |batch, rates| {
            self.compute(batch, |group| Rate::Here(rates.of(group)))
        });
        match given {
            Err(error) if !capture.has_recorded() => {
                // Nothing of it was computed. What is saved now is read on another stream than the recorded one, which ends here.
                self.is_whole = true;
                Err(error)
            }
            given => {
                self.capture = Some(capture);
                given
            }
        }
    }

    /// The whole step, kernel by kernel. What it is given may lie in a graph that is being recorded: nothing here looks at a number.
    fn compute<'r>(&mut self, batch: &Batch, rate: impl Fn(&Group) -> Rate<'r>) -> Result<Gauges> {
        self.statistics.keep()?;
        let (outputs, gradients) = self.pass(batch)?;
        self.model.move_statistics()?;
        let gauges = self.gauges(&outputs, &gradients)?;
        let skip = self.guard.judge(&gauges)?;
        self.statistics.restore_where(&skip)?;
        self.is_whole = false;
        self.descend(&gradients, &skip, rate)?;
        let (model, steps) = (&self.model, self.steps);
        self.program
            .follow(model, &outputs, batch, steps, Some(&skip))?;
        self.is_whole = true;
        Ok(gauges)
    }

    /// Forwards and backwards: at once, or part by part, whose gradients add up to that of the batch.
    fn pass(&mut self, batch: &Batch) -> Result<(Outputs, Vec<Tensor>)> {
        let Some(rows) = self.part else {
            let outputs = self.forward(batch)?;
            let gradients = self.gradients(&outputs)?;
            return Ok((outputs, gradients));
        };
        let samples = batch.keys.len() as i64;
        let (mut outputs, mut sums) = (vec![], vec![]);
        for start in (0..samples).step_by(rows as usize) {
            let part = rows_of(batch, start, rows);
            let own = self.forward(&part)?;
            let gradients = self.gradients(&own)?;
            sum_up(&mut sums, gradients)?;
            // What the next part needs the memory for.
            outputs.push(self.program.joined(&[own]));
        }
        let parts = outputs.len() as f64;
        for sum in sums.iter_mut().filter(|sum| sum.defined()) {
            *sum = no_grad(|| sum.f_div_scalar_(parts))?;
        }
        Ok((self.program.joined(&outputs), sums))
    }

    /// The way down a gradient, unless `skip` is 1.
    fn descend<'r>(
        &mut self,
        gradients: &[Tensor],
        skip: &Tensor,
        rate: impl Fn(&Group) -> Rate<'r>,
    ) -> Result<()> {
        follow(gradients, &mut self.groups, Some(skip), rate)?;
        match &self.scaler {
            Some(scaler) => self.guard.scale(scaler, skip),
            None => Ok(()),
        }
    }

    /// Waits for the numbers of a step.
    fn read(&mut self, of: Pending) -> Result<StepMetrics> {
        let start = Instant::now();
        let read = Error::caught(|| of.sent.read(self.model.ranks()));
        // A step without numbers is none that a resume point may stand behind.
        self.is_whole = self.is_whole && read.is_ok();
        let read = self.told(read)?;
        if guard::ends(&read) {
            // Those behind it have changed nothing.
            self.pending = None;
            self.failed = Some(of.batch);
            return Err(Error::NotFinite {
                step: of.step,
                value: read.loss,
                term: read.bad_term().map(str::to_owned),
                group: read.bad_group().map(str::to_owned),
                replay: None,
            });
        }
        let settings = &self.work.settings;
        let rate = |group: &Group| (group.name.clone(), group.rates[of.step as usize]);
        let took = of.batch.waited + of.given + start.elapsed();
        Ok(StepMetrics {
            step: of.step,
            epoch: of.step / settings.steps_per_epoch(),
            loss: read.loss,
            gradient: read.gradient(),
            scale: read.scale,
            terms: read.terms.into_iter().collect(),
            gradients: read.gradients.into_iter().collect(),
            spread: read.spread,
            rates: self.groups.iter().map(rate).collect(),
            samples_per_s: f64::from(settings.bs) / took.as_secs_f64(),
            data_wait: of.batch.waited.as_secs_f64(),
            data_queue: of.batch.queued,
            peak_memory: memory::peak(self.device),
        })
    }
}

/// Adds gradients to the sums of those before, which are kept by nobody else. Undefined ones count as 0.
fn sum_up(sums: &mut Vec<Tensor>, gradients: Vec<Tensor>) -> Result<()> {
    no_grad(|| {
        if sums.is_empty() {
            // Those of several ranks are overwritten by the next ones.
            let copied = gradients.iter().map(|gradient| match gradient.defined() {
                true => gradient.copy(),
                false => gradient.shallow_clone(),
            });
            sums.extend(copied);
            return Ok(());
        }
        for (sum, gradient) in sums.iter_mut().zip(&gradients) {
            if gradient.defined() {
                *sum = sum.f_add_(gradient)?;
            }
        }
        Ok(())
    })
}

/// Some samples of a batch, from one on.
fn rows_of(batch: &Batch, start: i64, rows: i64) -> Batch {
    let view = |(key, view): (&(String, u32), &Tensor)| (key.clone(), view.narrow(0, start, rows));
    let own = start as usize..(start + rows) as usize;
    Batch {
        views: batch.views.iter().map(view).collect(),
        keys: batch.keys[own.clone()].to_vec(),
        clips: Clips {
            own: batch.clips.own[own].to_vec(),
            all: Arc::clone(&batch.clips.all),
        },
        // They are counted of whole batches.
        overlaps: Overlaps::default(),
        step: batch.step,
        waited: batch.waited,
        queued: batch.queued,
    }
}

/// The batch where the networks are.
pub(crate) fn on_device(batch: Batch, device: Device) -> Result<Batch> {
    let view = |(key, view): (_, Tensor)| Ok((key, view.f_to_device(device)?));
    Ok(Batch {
        views: batch.views.into_iter().map(view).collect::<Result<_>>()?,
        ..batch
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_batch_has_its_samples() {
        let view = Tensor::arange(12, (Kind::Float, Device::Cpu)).view([4, 3]);
        let batch = Batch {
            views: [(("v".to_owned(), 1), view.shallow_clone())].into(),
            keys: (0..4)
                .map(|at| crate::augment::Key::new(0, at, 0))
                .collect(),
            clips: Clips {
                own: vec![5, 2, 7, 1],
                all: (0..9).collect(),
            },
            overlaps: Overlaps::default(),
            step: 3,
            waited: Duration::ZERO,
            queued: 4,
        };
        let part = rows_of(&batch, 1, 2);
        assert_eq!(part.views[&("v".to_owned(), 1)], view.narrow(0, 1, 2));
        assert_eq!(part.keys, batch.keys[1..3]);
        assert_eq!(part.clips.own, [2, 7]);
    }
}
