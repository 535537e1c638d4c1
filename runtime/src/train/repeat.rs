//! Training a finished run again for states that were asked for later.

use super::metrics::{METRICS, StepMetrics};
use super::training::{Training, on_device};
use super::{Options, Place};
use crate::checkpoint;
use crate::data::batch::Batches;
use crate::error::{Error, Result};
use compiler::plan::Pretrain;
use records::folder::checkpoint_after;
use std::path::Path;

/// Trains a finished run again, as far as the last of the epochs `missing`, and leaves their states in its folder.
///
/// Nothing is left of a course that is not that of the run: each loss is held against that of its [`METRICS`], and a state
/// counts once the loss of the step behind it agrees too. `folders` are one on the same disk, where it lies until then, and that of
/// the run; none on a rank that follows.
/// `progress` is called with the number of steps to be repeated.
///
/// Errors: [`Error::NotRepeated`] at the first loss that differs, as it does on other devices and versions; those of [`pretrain`].
pub fn repeat(
    work: &Pretrain,
    missing: &[u32],
    batches: &mut dyn Batches,
    options: &Options<'_>,
    folders: Option<[&Path; 2]>,
    progress: &mut dyn FnMut(&StepMetrics, u64),
) -> Result<()> {
    let ranks = options.ranks;
    let place = Place {
        device: options.device,
        ranks,
        clips: batches.clips(),
    };
    let mut training = Training::new(work, place)?;
    let Some(last) = missing.iter().max() else {
        return Ok(());
    };
    // The state after an epoch is proved by the first step of the next one.
    let steps = (u64::from(*last) * work.settings.steps_per_epoch() + 1).min(training.steps);
    let recorded = folders.map_or(Ok(vec![]), |[_, run]| losses(&run.join(METRICS)));
    let recorded = ranks.agree(recorded)?;
    for step in 0..steps {
        let state = training.epoch_before(step, missing).map(checkpoint_after);
        ranks.agree(match (&state, folders) {
            (Some(name), Some([scratch, _])) => {
                checkpoint::save(&scratch.join(name), training.model.entries())
            }
            (Some(_) | None, _) => Ok(()),
        })?;
        if ranks.stops(options.stop)? {
            return Err(Error::Interrupted);
        }
        let batch = batches.next(step);
        let batch = batch.and_then(|batch| on_device(batch, options.device));
        let batch = batch.inspect_err(|error| ranks.fail(error))?;
        let line = training.step_and_read(step, batch)?;
        ranks.agree(folders.map_or(Ok(()), |[scratch, run]| {
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
            if let Some(name) = &state {
                let (from, to) = (scratch.join(name), run.join(name));
                std::fs::rename(&from, &to).map_err(Error::io("write", &to))?;
            }
            Ok(())
        }))?;
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
