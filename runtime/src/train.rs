//! The training loop.

use crate::checkpoint;
use crate::data::batch::{Batch, Batches};
use crate::error::{Error, Result};
use crate::execute::Program;
use crate::nn::Model;
use crate::optim::{Optimiser, schedule};
use compiler::hir;
use compiler::plan::Pretrain;
use records::folder::checkpoint_after;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tch::{Device, Tensor};

/// The file of a training's numbers in its run folder: one JSON object for each step.
pub const METRICS: &str = records::folder::METRICS;

/// One line of [`METRICS`].
#[derive(Clone, Debug, Serialize)]
pub struct StepMetrics {
    /// Counted from 0 over all epochs.
    pub step: u64,
    /// Counted from 0.
    pub epoch: u64,
    /// The objective.
    pub loss: f64,
    /// The value of each term, by the name of its step in the plan.
    pub terms: BTreeMap<String, f64>,
    /// The learning rate of each parameter group.
    pub rates: BTreeMap<String, f64>,
    /// Samples per second of this step, the wait for data included.
    pub samples_per_s: f64,
    /// Seconds that the step waited for its batch: all the time that the data cost it.
    pub data_wait: f64,
    /// Samples that were ready when the step asked for its batch, those of its own among them: 0 where the loader cannot keep up,
    /// and as many as are made ahead where it could do more.
    pub data_queue: u64,
}

/// What a training came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrainSummary {
    /// Optimiser steps taken.
    pub steps: u64,
    /// The objective before the last step; none where no step was taken.
    pub last_loss: Option<f64>,
    /// Trained parameters.
    pub parameters: u64,
    /// Seconds from the first step to the end of the last.
    pub seconds: f64,
    /// Seconds of them spent waiting for data.
    pub data_wait: f64,
    /// Samples per second that the loader makes where no step holds it up; `None` where nobody counted.
    pub loader_samples_per_s: Option<f64>,
}

/// Trains the networks of `work` and leaves [`METRICS`] and [`checkpoint::FILE`] in the folder `out`, and beside them the states
/// after the epochs that `work` keeps.
///
/// `progress` is called after each step with its numbers and the number of all steps. With `ep = 0` no batch is asked for and
/// the checkpoint holds the first values.
///
/// On the CPU the checkpoints are a function of the plan, the batches and the number of libtorch's threads.
///
/// Errors: [`Error::NotFinite`] at the first loss that is no number, [`Error::Interrupted`] before the next step once `stop`
/// is set; no [`checkpoint::FILE`] is left then.
pub fn pretrain(
    work: &Pretrain,
    batches: &mut dyn Batches,
    device: Device,
    out: &Path,
    progress: &mut dyn FnMut(&StepMetrics, u64),
    stop: &AtomicBool,
) -> Result<TrainSummary> {
    let mut training = Training::new(work, device)?;
    let steps = training.steps;
    let mut metrics = Metrics::create(out)?;
    let start = Instant::now();
    let mut data_wait = 0.0;
    let mut last_loss = None;

    for step in 0..steps {
        if let Some(epoch) = training.epoch_before(step, &work.keep) {
            checkpoint::save(&out.join(checkpoint_after(epoch)), training.model.entries())?;
        }
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let line = training.step(step, batches)?;
        data_wait += line.data_wait;
        last_loss = Some(line.loss);
        metrics.write(&line)?;
        progress(&line, steps);
    }

    metrics.finish()?;
    let seconds = start.elapsed().as_secs_f64();
    checkpoint::save(&out.join(checkpoint::FILE), training.model.entries())?;
    let parameters = training.groups.iter().flat_map(|group| &group.parameters);
    Ok(TrainSummary {
        steps,
        last_loss,
        parameters: parameters.map(|parameter| parameter.numel() as u64).sum(),
        seconds,
        data_wait,
        loader_samples_per_s: batches.pace(),
    })
}

/// Trains a finished run again, as far as the last of the epochs `missing`, and leaves their states in its folder `run`.
///
/// Nothing is left of a course that is not that of the run: each loss is held against that of its [`METRICS`], and a state
/// counts once the loss of the step behind it agrees too. Until then it lies in the folder `scratch`, on the same disk.
/// `progress` is called with the number of steps to be repeated.
///
/// Errors: [`Error::NotRepeated`] at the first loss that differs, as it does on other devices and versions; those of [`pretrain`].
pub fn repeat(
    work: &Pretrain,
    missing: &[u32],
    batches: &mut dyn Batches,
    device: Device,
    [scratch, run]: [&Path; 2],
    progress: &mut dyn FnMut(&StepMetrics, u64),
    stop: &AtomicBool,
) -> Result<()> {
    let mut training = Training::new(work, device)?;
    let Some(last) = missing.iter().max() else {
        return Ok(());
    };
    // The state after an epoch is proved by the first step of the next one.
    let steps = (u64::from(*last) * work.settings.steps_per_epoch() + 1).min(training.steps);
    let recorded = losses(&run.join(METRICS))?;
    for step in 0..steps {
        let state = training.epoch_before(step, missing).map(checkpoint_after);
        if let Some(name) = &state {
            checkpoint::save(&scratch.join(name), training.model.entries())?;
        }
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let line = training.step(step, batches)?;
        let now = number(line.loss);
        let then = usize::try_from(step).ok().and_then(|at| recorded.get(at));
        if then != Some(&now) {
            return Err(Error::NotRepeated {
                run: run.to_owned(),
                step,
                then: then.map_or_else(|| "not recorded".to_owned(), ToString::to_string),
                now: now.to_string(),
            });
        }
        if let Some(name) = state {
            let (from, to) = (scratch.join(&name), run.join(&name));
            std::fs::rename(&from, &to).map_err(Error::io("write", &to))?;
        }
        progress(&line, steps);
    }
    Ok(())
}

/// The loss of each step in a file of metrics.
fn losses(metrics: &Path) -> Result<Vec<serde_json::Number>> {
    #[derive(serde::Deserialize)]
    struct Line {
        loss: serde_json::Number,
    }
    let text = std::fs::read_to_string(metrics).map_err(Error::io("read", metrics))?;
    // A line that cannot be read is one that was not recorded, and so are those behind it.
    let lines = text
        .lines()
        .map_while(|line| serde_json::from_str(line).ok());
    Ok(lines.map(|line: Line| line.loss).collect())
}

/// A loss as it is read from a file of metrics: what was written and read again is compared with what was written and read
/// again.
fn number(loss: f64) -> serde_json::Number {
    let written = serde_json::to_string(&loss).expect("a number is plain data");
    serde_json::from_str(&written).expect("a loss that is finite is written as a number")
}

/// A training between two steps.
struct Training<'w> {
    work: &'w Pretrain,
    program: Program,
    model: Model,
    groups: Vec<Group>,
    device: Device,
    /// Of the whole run.
    steps: u64,
}

impl<'w> Training<'w> {
    /// Before the first step.
    fn new(work: &'w Pretrain, device: Device) -> Result<Self> {
        let settings = &work.settings;
        let program = Program::new(work)?;
        let model = Model::new(settings, program.groups(), device)?;
        let groups = groups(settings, &model)?;
        Ok(Self {
            work,
            program,
            model,
            groups,
            device,
            steps: settings.steps_per_epoch() * u64::from(settings.ep),
        })
    }

    /// The epoch of `wanted` that ends before `step`.
    fn epoch_before(&self, step: u64, wanted: &[u32]) -> Option<u32> {
        let per_epoch = self.work.settings.steps_per_epoch();
        let ends = |epoch: &&u32| u64::from(**epoch) * per_epoch == step;
        wanted.iter().find(ends).copied()
    }

    /// One step down the gradient of its batch.
    fn step(&mut self, step: u64, batches: &mut dyn Batches) -> Result<StepMetrics> {
        let settings = &self.work.settings;
        let start = Instant::now();
        let batch = on_device(batches.next(step)?, self.device)?;
        let outputs = self.program.forward(&self.model, &batch, self.device)?;
        let loss = outputs.objective.double_value(&[]);
        if !loss.is_finite() {
            return Err(Error::NotFinite { step, value: loss });
        }
        descend(&outputs.objective, &mut self.groups, |group| {
            group.rates[step as usize]
        })?;
        let rate = |group: &Group| (group.name.clone(), group.rates[step as usize]);
        Ok(StepMetrics {
            step,
            epoch: step / settings.steps_per_epoch(),
            loss,
            terms: self.program.terms(&outputs),
            rates: self.groups.iter().map(rate).collect(),
            samples_per_s: f64::from(settings.bs) / start.elapsed().as_secs_f64(),
            data_wait: batch.waited.as_secs_f64(),
            data_queue: batch.queued,
        })
    }
}

/// A parameter group in training.
#[derive(Debug)]
pub struct Group {
    /// `v.f`, `a.h`, ...
    pub name: String,
    /// The learning rate of each step.
    pub rates: Vec<f64>,
    parameters: Vec<Tensor>,
    optimiser: Optimiser,
}

/// The groups of the model: `lr_b` is the rate of an `f`, `lr_p` that of an `h`.
pub fn groups(settings: &hir::Pretrain, model: &Model) -> Result<Vec<Group>> {
    let group = |(name, parameters): (&str, Vec<Tensor>)| {
        let parts = name.split_once('.');
        let owner = parts.and_then(|(modality, part)| Some((settings.modality(modality)?, part)));
        let (modality, part) = owner.expect("the model has built this group from its modality");
        let schedule = if part == "f" {
            &modality.lr_b
        } else {
            &modality.lr_p
        };
        let rates = schedule::rates(schedule, settings.steps_per_epoch(), settings.ep);
        let shared = parameters.iter().map(Tensor::shallow_clone).collect();
        let optimiser = Optimiser::new(&settings.optim, shared)?;
        Ok(Group {
            name: name.to_owned(),
            rates,
            parameters,
            optimiser,
        })
    };
    model.groups().map(group).collect()
}

/// One step of every group's optimiser down the gradient of `objective`, at the rate that `rate` gives the group.
pub fn descend(
    objective: &Tensor,
    groups: &mut [Group],
    rate: impl Fn(&Group) -> f64,
) -> Result<()> {
    let parameters: Vec<_> = groups.iter().flat_map(|group| &group.parameters).collect();
    // Fresh gradients instead of those that libtorch would accumulate beside each parameter: nothing has to be zeroed.
    let gradients = Tensor::f_run_backward(&[objective], &parameters, false, false)?;
    let mut rest = &gradients[..];
    for group in groups {
        let (own, others) = rest.split_at(group.parameters.len());
        group.optimiser.step(own, rate(group))?;
        rest = others;
    }
    Ok(())
}

/// The batch where the networks are.
fn on_device(batch: Batch, device: Device) -> Result<Batch> {
    let view = |(key, view): (_, Tensor)| Ok((key, view.f_to_device(device)?));
    Ok(Batch {
        views: batch.views.into_iter().map(view).collect::<Result<_>>()?,
        keys: batch.keys,
        waited: batch.waited,
        queued: batch.queued,
    })
}

/// The open file of metrics. Each line is flushed, so that a run can be watched and an interrupted one read.
struct Metrics {
    file: BufWriter<File>,
    path: std::path::PathBuf,
}

impl Metrics {
    fn create(out: &Path) -> Result<Self> {
        let path = out.join(METRICS);
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        Ok(Self {
            file: BufWriter::new(file),
            path,
        })
    }

    fn write(&mut self, line: &StepMetrics) -> Result<()> {
        let written = serde_json::to_writer(&mut self.file, line).map_err(std::io::Error::from);
        let written = written
            .and_then(|()| self.file.write_all(b"\n"))
            .and_then(|()| self.file.flush());
        written.map_err(Error::io("write", &self.path))
    }

    fn finish(self) -> Result<()> {
        let file = self.file.get_ref();
        file.sync_all().map_err(Error::io("write", &self.path))
    }
}
