//! How far the stages of a report are: finished, begun, or not run.

use super::curves;
use crate::folder::{Finished, METRICS, Runs};
use crate::record::Run;
use crate::{Result, failures};
use compiler::plan::{Plan, StageId, Work};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A stage that was begun and is not finished. Whether its process still lives is not looked at: that would take a lock, and a
/// report writes nothing.
#[derive(Clone, Debug)]
pub(super) struct Begun {
    /// The folder of the attempt.
    pub path: PathBuf,
    /// Its `run.json`.
    pub run: Run,
    /// Steps of a training that are done.
    pub steps: u64,
}

/// What is known of the stages of a plan.
pub(super) struct Standing<'r> {
    pub plan: &'r Plan,
    pub finished: &'r BTreeMap<StageId, Finished>,
    /// Those that are begun and not finished.
    pub begun: BTreeMap<StageId, Begun>,
    /// Why stages failed the last time.
    pub failures: &'r BTreeMap<StageId, String>,
}

/// What lies in a folder of run folders, read once.
#[derive(Clone, Debug)]
pub struct Shelf {
    /// The folder.
    pub dir: PathBuf,
    /// The finished stages; of several versions of the data the newest.
    pub finished: BTreeMap<StageId, Finished>,
    /// Those that are finished for several versions of the data.
    pub repeated: BTreeSet<StageId>,
    /// What was begun.
    attempts: Vec<(PathBuf, Run)>,
    /// Why stages failed the last time.
    pub(super) failures: BTreeMap<StageId, String>,
}

impl Shelf {
    /// Reads what lies in the folder of `runs`.
    ///
    /// # Errors
    ///
    /// A run folder that cannot be read.
    pub fn read(runs: &Runs) -> Result<Self> {
        Ok(Self {
            dir: runs.dir().to_owned(),
            finished: runs.index()?,
            repeated: runs.repeated()?,
            attempts: runs.attempts()?,
            failures: failures::all(runs),
        })
    }

    /// The stages of `plan` that are begun and not finished; of several attempts at one the farthest, of equally far ones the one
    /// that began last.
    pub(super) fn begun(&self, plan: &Plan) -> Result<BTreeMap<StageId, Begun>> {
        let mut found: BTreeMap<StageId, Begun> = BTreeMap::new();
        for (path, run) in &self.attempts {
            let id = &run.stage;
            if plan.stage(id).is_none() || self.finished.contains_key(id) {
                continue;
            }
            let begun = Begun {
                steps: curves::steps_done(&path.join(METRICS))?,
                path: path.clone(),
                run: run.clone(),
            };
            let age = |of: &Begun| (of.steps, of.run.started);
            let known = found.get(id);
            if known.is_none_or(|known| age(known) < age(&begun)) {
                found.insert(id.clone(), begun);
            }
        }
        Ok(found)
    }
}

/// What changes in a folder of run folders while stages are made: its folders, and how much each training has written.
///
/// # Errors
///
/// A folder that cannot be read.
pub fn traces(runs: &Runs) -> Result<Vec<(PathBuf, u64)>> {
    let traced = runs.folders()?.into_iter().map(|path| {
        // A folder may be renamed meanwhile, or have no metrics.
        let written = std::fs::metadata(path.join(METRICS)).map_or(0, |file| file.len());
        (path, written)
    });
    Ok(traced.collect())
}

impl Standing<'_> {
    /// Why the stage `id` has no result: the first stage on the way to it that is not finished, and why it failed if it did.
    pub(super) fn reason(&self, id: &StageId) -> String {
        let work = self.plan.stage(id).map(|stage| &stage.work);
        let mut needed = work.map(Work::needs).unwrap_or_default().into_iter();
        let is_open =
            |id: &&StageId| self.plan.stage(id).is_some() && !self.finished.contains_key(*id);
        if let Some(open) = needed.find(is_open) {
            return self.reason(open);
        }
        let begun = self.begun.get(id);
        let said = match (work, begun) {
            (Some(Work::Pretrain(work)), Some(begun)) => {
                let settings = &work.settings;
                let steps = settings.steps_per_epoch() * u64::from(settings.ep);
                return format!("pretraining at step {} of {steps}", begun.steps);
            }
            (Some(Work::Pretrain(_)), None) => "pretraining not run",
            (Some(Work::Extract(_)), Some(_)) => "extraction begun",
            (Some(Work::Extract(_)), None) => "features not extracted",
            (Some(Work::Finetune(_)), Some(_)) => "finetuning begun",
            (Some(Work::Finetune(_)), None) => "finetuning not run",
            (Some(Work::Draw(_)), Some(_)) => "drawing begun",
            (Some(Work::Draw(_)), None) => "not drawn",
            (Some(Work::Score(_)) | None, Some(_)) => "scoring begun",
            (Some(Work::Score(_)) | None, None) => "not scored",
        };
        match (begun, self.failures.get(id)) {
            (None, Some(failure)) => format!("{said}: {failure}"),
            (Some(_), _) | (None, None) => said.to_owned(),
        }
    }
}
