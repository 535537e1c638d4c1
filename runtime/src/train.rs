//! The training loop.

use crate::checkpoint;
use crate::data::batch::{Batch, Batches};
use crate::error::{Error, Result};
use crate::execute::Program;
use crate::nn::{self, Model};
use crate::optim::{Optimiser, schedule};
use compiler::hir;
use compiler::plan::Pretrain;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tch::{Device, Kind, Tensor};

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
    /// Seconds that the step waited for its batch.
    pub data_wait: f64,
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
}

/// Trains the networks of `work` and leaves [`METRICS`] and [`checkpoint::FILE`] in the folder `out`.
///
/// `progress` is called after each step with its numbers and the number of all steps. With `ep = 0` no batch is asked for and
/// the checkpoint holds the first values.
///
/// On the CPU the checkpoint is a function of the plan, the batches and the number of libtorch's threads.
///
/// Errors: [`Error::NotFinite`] at the first loss that is no number, [`Error::Interrupted`] before the next step once `stop`
/// is set; no checkpoint is left then.
pub fn pretrain(
    work: &Pretrain,
    batches: &mut dyn Batches,
    device: Device,
    out: &Path,
    progress: &mut dyn FnMut(&StepMetrics, u64),
    stop: &AtomicBool,
) -> Result<TrainSummary> {
    let settings = &work.settings;
    let program = Program::new(work)?;
    let model = Model::new(settings, program.groups(), device)?;
    let mut groups = groups(settings, &model)?;
    let steps = settings.steps_per_epoch() * u64::from(settings.ep);
    let mut metrics = Metrics::create(out)?;
    let start = Instant::now();
    let mut waited = Duration::ZERO;
    let mut last_loss = None;

    for step in 0..steps {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let step_start = Instant::now();
        let batch = on_device(batches.next(step)?, nn::kind(settings.precision), device)?;
        let outputs = program.forward(&model, &batch, device)?;
        let loss = outputs.objective.double_value(&[]);
        if !loss.is_finite() {
            return Err(Error::NotFinite { step, value: loss });
        }
        descend(&outputs.objective, &mut groups, |group| {
            group.rates[step as usize]
        })?;

        waited += batch.waited;
        last_loss = Some(loss);
        let line = StepMetrics {
            step,
            epoch: step / settings.steps_per_epoch(),
            loss,
            terms: program.terms(&outputs),
            rates: groups
                .iter()
                .map(|group| (group.name.clone(), group.rates[step as usize]))
                .collect(),
            samples_per_s: f64::from(settings.bs) / step_start.elapsed().as_secs_f64(),
            data_wait: batch.waited.as_secs_f64(),
        };
        metrics.write(&line)?;
        progress(&line, steps);
    }

    metrics.finish()?;
    let seconds = start.elapsed().as_secs_f64();
    checkpoint::save(&out.join(checkpoint::FILE), model.entries())?;
    Ok(TrainSummary {
        steps,
        last_loss,
        parameters: groups
            .iter()
            .flat_map(|group| &group.parameters)
            .map(|parameter| parameter.numel() as u64)
            .sum(),
        seconds,
        data_wait: waited.as_secs_f64(),
    })
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

/// The batch where and as the networks want it.
fn on_device(batch: Batch, kind: Kind, device: Device) -> Result<Batch> {
    let view = |(key, view): (_, Tensor)| Ok((key, view.f_to_device(device)?.f_to_kind(kind)?));
    Ok(Batch {
        views: batch.views.into_iter().map(view).collect::<Result<_>>()?,
        waited: batch.waited,
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
        match File::create(&path) {
            Ok(file) => Ok(Self {
                file: BufWriter::new(file),
                path,
            }),
            Err(cause) => Err(Error::Io {
                action: "create",
                path,
                cause,
            }),
        }
    }

    fn write(&mut self, line: &StepMetrics) -> Result<()> {
        let written = serde_json::to_writer(&mut self.file, line).map_err(std::io::Error::from);
        let written = written
            .and_then(|()| self.file.write_all(b"\n"))
            .and_then(|()| self.file.flush());
        written.map_err(|cause| Error::Io {
            action: "write",
            path: self.path.clone(),
            cause,
        })
    }

    fn finish(self) -> Result<()> {
        self.file.get_ref().sync_all().map_err(|cause| Error::Io {
            action: "write",
            path: self.path,
            cause,
        })
    }
}
