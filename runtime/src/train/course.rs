//! A pretraining on its way and what it leaves in its folder: numbers, states that are asked for, resume points.

use super::metrics::{Metrics, StepMetrics};
use super::training::Training;
use super::{Observer, TrainSummary};
use crate::checkpoint;
use crate::data::batch::{Batch, Batches};
use crate::error::{Error, Result};
use crate::nn::parameters::Entry;
use crate::ranks::Ranks;
use crate::watch::failure::kept;
use compiler::plan::{Pretrain, StageId};
use records::folder::checkpoint_after;
use records::points::{self, Point, points};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tch::Device;

/// The version of [`Position`].
const FORMAT: u32 = 1;
/// Where a resume point has its [`Position`].
const NOTE: &str = "crisscross";

/// What a resume point says beside the tensors. Random numbers are no part of it: they are a function of seed, sample, epoch and
/// place in the step.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Position {
    format: u32,
    stage: StageId,
    /// Steps that are done; the data go on with the batch of this number.
    step: u64,
    /// The objective of the last of them.
    loss: Option<f64>,
    /// Seconds that they took, over all processes.
    seconds: f64,
    data_wait: f64,
    data_cpu: f64,
    /// Files that were replaced because they could not be read, and why.
    replaced: BTreeMap<String, String>,
}

/// A pretraining that steps, alone or beside others.
pub struct Course<'w> {
    name: String,
    work: &'w Pretrain,
    training: Training<'w>,
    metrics: Metrics<'w>,
    folder: PathBuf,
    position: Position,
    /// Where this process took it up.
    begun: Position,
    /// Steps before the newest resume point.
    saved: u64,
    failed: Option<Error>,
}

impl<'w> Course<'w> {
    /// The training in `folder`, from its newest resume point on, or from the first step.
    ///
    /// A point that is damaged is passed over for the one before it, which `observer` is told.
    ///
    /// Errors: points of which none can be used; one that belongs to another stage or other networks.
    pub fn take_up(
        (name, stage): (&str, &StageId),
        work: &'w Pretrain,
        device: Device,
        folder: &Path,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let training = Training::new(work, device, &Ranks::alone())?;
        let mut position = Position {
            format: FORMAT,
            stage: stage.clone(),
            step: 0,
            loss: None,
            seconds: 0.0,
            data_wait: 0.0,
            data_cpu: 0.0,
            replaced: BTreeMap::new(),
        };
        let mut passed_over = None;
        let points = points(folder)?;
        let has_points = !points.is_empty();
        let mut metrics = None;
        for point in points {
            let restored = restore(&training, &point, stage).and_then(|found| {
                Ok((Metrics::take_up(folder, &work.settings, found.step)?, found))
            });
            match restored {
                Ok((file, found)) => {
                    observer.say(&format!(
                        "  {name} goes on after step {} of {}",
                        found.step, training.steps
                    ));
                    metrics = Some(file);
                    position = found;
                    break;
                }
                Err(error) => {
                    observer.say(&format!("  {name}: {error}; an older state is looked for"));
                    passed_over.get_or_insert(error);
                }
            }
        }
        let metrics = match (metrics, passed_over) {
            (Some(metrics), _) => metrics,
            (None, Some(error)) => return Err(error),
            (None, None) => Metrics::create(folder, &work.settings)?,
        };
        Ok(Self {
            name: name.to_owned(),
            work,
            training,
            metrics,
            folder: folder.to_owned(),
            begun: position.clone(),
            saved: if has_points { position.step } else { 0 },
            position,
            failed: None,
        })
    }

    /// The number of the step that comes next.
    pub fn next_step(&self) -> u64 {
        self.position.step
    }

    /// Steps of the whole training.
    pub fn steps(&self) -> u64 {
        self.training.steps
    }

    /// Memory that its state takes: parameters, statistics, the optimiser's moments.
    pub fn bytes(&self) -> u64 {
        let bytes = |entry: &Entry| entry.tensor.numel() * entry.tensor.kind().elt_size_in_bytes();
        self.training.state().iter().map(bytes).sum::<usize>() as u64
    }

    /// Whether it takes this step.
    pub(super) fn takes(&self, step: u64) -> bool {
        self.failed.is_none() && self.position.step == step
    }

    /// Whether it goes on.
    pub(super) fn is_alive(&self) -> bool {
        self.failed.is_none()
    }

    /// Ends it; the others go on. What was kept of it stays.
    pub(super) fn fail(&mut self, error: Error, observer: &mut dyn Observer) {
        observer.failed(&self.name, &error);
        self.failed = Some(error);
    }

    /// Keeps the state before `step` if it is one of those that are asked for.
    pub(super) fn keep(&self, step: u64) -> Result<()> {
        match self.training.epoch_before(step, &self.work.keep) {
            Some(epoch) => checkpoint::save(
                &self.folder.join(checkpoint_after(epoch)),
                self.training.model.entries(),
            ),
            None => Ok(()),
        }
    }

    /// One step on this batch.
    pub(super) fn step(&mut self, step: u64, batch: &Batch) -> Result<StepMetrics> {
        self.metrics.show(step, batch)?;
        let line = match self.training.step(step, batch) {
            Ok(line) => line,
            Err(error) => {
                let (state, device) = (self.training.state(), self.training.device);
                let ranks = self.training.model.ranks();
                return Err(kept(error, &self.folder, &state, batch, device, ranks));
            }
        };
        self.metrics.write(&line)?;
        self.position.step = step + 1;
        self.position.loss = Some(line.loss);
        self.position.data_wait += line.data_wait;
        Ok(line)
    }

    /// Notes what this process has spent and seen: `elapsed` since it began to step.
    pub(super) fn note(&mut self, elapsed: Duration, batches: &dyn Batches) {
        self.position.seconds = self.begun.seconds + elapsed.as_secs_f64();
        let cpu = batches.cpu().map_or(0.0, |cpu| cpu.as_secs_f64());
        self.position.data_cpu = self.begun.data_cpu + cpu;
        self.position.replaced.extend(batches.replaced());
    }

    /// Leaves a resume point, unless there is one of this step.
    pub(super) fn save(&mut self) -> Result<()> {
        if self.position.step == self.saved {
            return Ok(());
        }
        // The point stands for the lines before it.
        self.metrics.sync()?;
        let note = serde_json::to_string(&self.position).expect("a position is plain data");
        let state = self.training.state();
        let bytes = checkpoint::serialise(&self.folder, &state, (NOTE, &note))?;
        points::keep(&self.folder, self.position.step, &bytes)?;
        self.saved = self.position.step;
        Ok(())
    }

    /// Leaves the weights as [`checkpoint::FILE`], or says what ended the training.
    pub fn finish(self, batches: Option<&dyn Batches>) -> Result<TrainSummary> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.metrics.finish()?;
        checkpoint::save(
            &self.folder.join(checkpoint::FILE),
            self.training.model.entries(),
        )?;
        Ok(TrainSummary {
            steps: self.training.steps,
            last_loss: self.position.loss,
            parameters: self.training.parameters(),
            seconds: self.position.seconds,
            data_wait: self.position.data_wait,
            data_cpu: self.position.data_cpu,
            loader_samples_per_s: batches.and_then(Batches::pace),
            replaced: self.position.replaced,
        })
    }
}

/// Sets the training to the state of a resume point of `stage`, and returns the step that comes next.
pub(crate) fn stand_at(training: &Training<'_>, point: &Point, stage: &StageId) -> Result<u64> {
    Ok(restore(training, point, stage)?.step)
}

/// Sets the training to the state of a resume point, and says where that is.
fn restore(training: &Training<'_>, point: &Point, stage: &StageId) -> Result<Position> {
    let bytes = point.read()?;
    let unfit = |message: String| Error::Checkpoint {
        path: point.path.clone(),
        message,
    };
    let note = checkpoint::note(&bytes, NOTE)
        .ok_or_else(|| unfit("it does not say where the training was".to_owned()))?;
    let position: Position = serde_json::from_str(&note)
        .ok()
        .filter(|position: &Position| position.format == FORMAT)
        .ok_or_else(|| unfit("another version of crisscross has written it".to_owned()))?;
    if position.stage != *stage {
        return Err(unfit(format!(
            "it belongs to stage {}, not to {}",
            position.stage.short(),
            stage.short()
        )));
    }
    if position.step > training.steps {
        return Err(unfit(format!(
            "it stands behind step {}, and the training has {}",
            position.step, training.steps
        )));
    }
    checkpoint::fill(&point.path, &bytes, &training.state())?;
    Ok(position)
}
