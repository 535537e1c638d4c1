//! The training loop: a step of a pretraining for each batch, its numbers, its states.

mod descent;
mod metrics;
mod repeat;
mod training;

use crate::checkpoint;
use crate::data::batch::Batches;
use crate::error::{Error, Result};
use crate::ranks::Ranks;
use crate::watch::failure::kept;
use compiler::plan::Pretrain;
use metrics::Metrics;
use records::folder::checkpoint_after;
use serde::Serialize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tch::Device;
pub(crate) use training::{Training, on_device};

pub use descent::{Group, descend, follow, gradients, gradients_on, groups};
pub use metrics::{METRICS, StepMetrics};
pub use repeat::repeat;

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
    let mut training = Training::new(work, device, &Ranks::alone())?;
    let steps = training.steps;
    let mut metrics = Metrics::create(out, &work.settings)?;
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
        let batch = on_device(batches.next(step)?, device)?;
        metrics.show(step, &batch)?;
        let line = match training.step(step, &batch) {
            Ok(line) => line,
            Err(error) => return Err(kept(error, out, &training.state(), &batch, device)),
        };
        data_wait += line.data_wait;
        last_loss = Some(line.loss);
        metrics.write(&line)?;
        progress(&line, steps);
    }

    metrics.finish()?;
    let seconds = start.elapsed().as_secs_f64();
    checkpoint::save(&out.join(checkpoint::FILE), training.model.entries())?;
    Ok(TrainSummary {
        steps,
        last_loss,
        parameters: training.parameters(),
        seconds,
        data_wait,
        loader_samples_per_s: batches.pace(),
    })
}
