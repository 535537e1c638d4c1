//! A pretraining on its way and what it leaves in its folder: numbers, states that are asked for, resume points.

use super::metrics::{METRICS, Metrics, StepMetrics};
use super::training::Training;
use super::{Data, Observer, Place, Reference, TrainSummary};
use crate::checkpoint;
use crate::data::batch::{Batch, Batches};
use crate::data::overlaps::Overlaps;
use crate::doctor;
use crate::error::{Error, Result};
use crate::nn::parameters::Entry;
use crate::resume::newest_usable;
use crate::watch::failure::kept;
use compiler::plan::{Pretrain, StageId};
use records::folder::checkpoint_after;
use records::points::{self, Point, points};
use records::record::{Environment, Maker};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

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
    /// Seconds that they took, over all processes, and the share of them in which batches were waited for.
    seconds: f64,
    data_wait: f64,
    data_cpu: f64,
    /// Samples that were made, and different clips that were asked for; 0 in points of older versions.
    #[serde(default)]
    data_samples: u64,
    #[serde(default)]
    asked: u64,
    /// Files that were replaced because they could not be read, and why.
    replaced: BTreeMap<String, String>,
    /// How much of each other the windows covered, on all ranks; of points of older versions what came after them.
    #[serde(default, skip_serializing_if = "Overlaps::is_empty")]
    overlaps: Overlaps,
    /// How far the losses of a repetition that rounds otherwise were off those of the run, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    apart: Option<f64>,
    /// By what and where the last of the steps were taken; none in points of older versions.
    #[serde(default)]
    by: Option<Maker>,
    /// The order in which several ranks sum gradients ([`Gradients::order`](crate::ranks::gradients::Gradients::order)).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    order: Vec<usize>,
}

impl Position {
    /// Before the first step.
    fn first(stage: &StageId) -> Self {
        Self {
            format: FORMAT,
            stage: stage.clone(),
            step: 0,
            loss: None,
            seconds: 0.0,
            data_wait: 0.0,
            data_cpu: 0.0,
            data_samples: 0,
            asked: 0,
            replaced: BTreeMap::new(),
            overlaps: Overlaps::default(),
            apart: None,
            by: None,
            order: vec![],
        }
    }

    /// Why the steps from here on may be rounded otherwise, for the end of a sentence.
    fn rounding(&self, now: &Maker) -> String {
        let differences = self.by.as_ref().map(|by| by.differences(now));
        let differences = differences.unwrap_or_default().join(", ");
        match differences.is_empty() {
            true => String::new(),
            false => format!("; rounding may differ from here on: {differences}"),
        }
    }
}

/// A training with new networks.
///
/// Errors: [`Error::NoRoom`] where they do not fit on the device; what libtorch says.
fn built<'w>(work: &'w Pretrain, place: Place<'_>) -> Result<Training<'w>> {
    Error::caught(|| Training::new(work, place)).map_err(|error| match error.is_of_memory() {
        true => Error::NoRoom {
            cause: error.to_string(),
        },
        false => error,
    })
}

/// The files of a training.
struct Files<'w> {
    metrics: Metrics<'w>,
    folder: PathBuf,
}

/// A pretraining that steps, alone or beside others.
pub struct Course<'w> {
    name: String,
    training: Training<'w>,
    /// What it leaves; nothing on a rank that follows.
    files: Option<Files<'w>>,
    position: Position,
    /// Epochs whose states are kept beside the end, sorted.
    keep: Vec<u32>,
    /// The losses that its own must be, where it repeats a finished run.
    reference: Option<Reference>,
    /// Where this process took it up.
    begun: Position,
    /// How much of each other the windows of this rank covered since, in the steps that are written down.
    overlaps: Overlaps,
    /// Those of steps that are not, by step.
    unread: BTreeMap<u64, Overlaps>,
    /// Steps before the newest resume point.
    saved: u64,
    /// The state is that of the position: no step is half done, or done and not written down.
    stands: bool,
    failed: Option<Error>,
}

impl<'w> Course<'w> {
    /// The training in `folder`, from its newest resume point on, or from the first step.
    ///
    /// A point that is damaged is passed over for the one before it, which `observer` is told.
    ///
    /// Errors: points of which none can be used; one that belongs to another stage or other networks; no memory for the networks.
    pub fn take_up(
        (name, stage): (&str, &StageId),
        work: &'w Pretrain,
        place: Place<'_>,
        folder: &Path,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let training = built(work, place)?;
        let here = Maker {
            code: env!("CARGO_PKG_VERSION").to_owned(),
            environment: Environment {
                micro_batch: place.micro_batch,
                ..doctor::environment_of(place.device, place.ranks)?
            }
            .of_training(work),
        };
        let mut position = Position::first(stage);
        let has_points = !points(folder)?.is_empty();
        let lines = folder.join(METRICS);
        if has_points && !lines.exists() {
            return Err(Error::Checkpoint {
                path: lines,
                message: "it is missing, and the resume points beside it stand for its lines"
                    .to_owned(),
            });
        }
        let say = &mut |line: &str| observer.say(&format!("  {name}: {line}"));
        let newest = newest_usable(folder, say, |point| {
            let found = restore(&training, point, stage)?;
            Ok((Metrics::take_up(folder, &work.settings, found.step)?, found))
        })?;
        let metrics = match newest {
            Some((metrics, at)) => {
                observer.say(&format!(
                    "  {name} goes on after step {} of {}{}",
                    at.step,
                    training.steps,
                    at.rounding(&here)
                ));
                position = at;
                metrics
            }
            None => Metrics::create(folder, &work.settings)?,
        };
        position.by = Some(here);
        Ok(Self {
            name: name.to_owned(),
            training,
            files: Some(Files {
                metrics,
                folder: folder.to_owned(),
            }),
            keep: work.keep.clone(),
            reference: None,
            begun: position.clone(),
            overlaps: Overlaps::default(),
            unread: BTreeMap::new(),
            saved: if has_points { position.step } else { 0 },
            stands: true,
            position,
            failed: None,
        })
    }

    /// The training as a rank has it that follows rank 0: it leaves no files. [`Course::share`] brings it to where rank 0 is.
    ///
    /// Errors: what libtorch says.
    pub fn follow(
        (name, stage): (&str, &StageId),
        work: &'w Pretrain,
        place: Place<'_>,
    ) -> Result<Self> {
        let position = Position::first(stage);
        Ok(Self {
            name: name.to_owned(),
            training: built(work, place)?,
            files: None,
            keep: work.keep.clone(),
            reference: None,
            begun: position.clone(),
            overlaps: Overlaps::default(),
            unread: BTreeMap::new(),
            saved: 0,
            stands: true,
            position,
            failed: None,
        })
    }

    /// The same as a repetition of a finished run, for its states after the epochs `keep` alone. It fails where it takes another
    /// course than `reference`.
    pub fn again(self, keep: Vec<u32>, reference: Reference) -> Self {
        Self {
            keep,
            reference: Some(reference),
            ..self
        }
    }

    /// Gives the state of rank 0 to all ranks. They call it for the same courses in the same order.
    ///
    /// Errors: another rank has failed.
    pub fn share(&mut self) -> Result<()> {
        let ranks = self.training.model.ranks().clone();
        (self.position, self.keep) = ranks.tell(|| (self.position.clone(), self.keep.clone()))?;
        self.training.gradients.lay(&self.position.order)?;
        let state = self.training.state();
        let state: Vec<_> = state
            .iter()
            .map(|entry| entry.tensor.shallow_clone())
            .collect();
        ranks.broadcast(&state)
    }

    /// The number of the step that comes next.
    pub fn next_step(&self) -> u64 {
        self.position.step + u64::from(self.training.is_pending())
    }

    /// Steps whose numbers are written down.
    pub fn done(&self) -> u64 {
        self.position.step
    }

    /// How far its losses are off those of the run that it repeats, at most; none where each is the same to the last bit.
    pub fn apart(&self) -> Option<f64> {
        self.position.apart
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

    /// What it is called.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it takes this step.
    pub(super) fn takes(&self, step: u64) -> bool {
        self.failed.is_none() && self.next_step() == step
    }

    /// The numbers of each step are read while the device is at the next one, or at once.
    pub(super) fn read_late(&mut self, reads_late: bool) {
        self.training.reads_late = reads_late;
    }

    /// Has its steps recorded as a graph of the GPU. Where they cannot be, says why: they come to the same.
    pub(super) fn capture(&mut self, beside: usize, observer: &mut dyn Observer) {
        if let Err(error) = self.training.capture(beside) {
            observer.say(&format!("  {}: {error}", self.name));
        }
    }

    /// Whether the state before `step` is one of those that are asked for.
    pub(super) fn keeps(&self, step: u64) -> bool {
        self.training.epoch_before(step, &self.keep).is_some()
    }

    /// Whether it goes on.
    pub(super) fn is_alive(&self) -> bool {
        self.failed.is_none()
    }

    /// Ends it; the others go on. What was kept of it stays, and it has a resume point where another command could go on: with more
    /// memory, smaller parts or no graph.
    pub(super) fn fail(&mut self, error: Error, observer: &mut dyn Observer) {
        if matches!(
            error,
            Error::OutOfMemory { .. } | Error::Torch(_) | Error::NotRecorded { .. }
        ) {
            self.save_what_stands();
        }
        // Another rank's failure ends the run, which says so.
        if !matches!(error, Error::Rank { .. }) {
            observer.failed(&self.name, &error);
        }
        self.failed = Some(error);
    }

    /// Ends it here because rank 0 could not go on with it, and has said why.
    pub(super) fn end_as_rank_0_does(&mut self, goes_on: bool) {
        if !goes_on && self.failed.is_none() {
            self.failed = Some(Error::Rank {
                rank: 0,
                what: "could not go on with this training".to_owned(),
                is_said: true,
            });
        }
    }

    /// Keeps the state before `step`, which has been settled, if it is one of those that are asked for.
    pub(super) fn keep(&self, step: u64) -> Result<()> {
        let epoch = self.training.epoch_before(step, &self.keep);
        match (epoch, &self.files) {
            (Some(epoch), Some(files)) => checkpoint::save(
                &files.folder.join(checkpoint_after(epoch)),
                self.training.model.entries(),
            ),
            (Some(_) | None, _) => Ok(()),
        }
    }

    /// One step on this batch, on which so many step, and the numbers of the step that was read.
    pub(super) fn step(
        &mut self,
        step: u64,
        batch: &Rc<Batch>,
        beside: usize,
    ) -> Result<Option<StepMetrics>> {
        let start = Instant::now();
        self.stands = false;
        self.unread.insert(step, batch.overlaps.clone());
        let line = match self.training.step(step, batch) {
            Ok(line) => line,
            Err(error) => {
                // What came before is settled first: if it was not finite, that is what ended the training.
                let error = match self.training.settle() {
                    Ok(line) => self.write(line).err().unwrap_or(error),
                    Err(earlier) => earlier,
                };
                return Err(self.kept(error.beside(beside)));
            }
        };
        // Only behind the step, which all ranks take together: what fails here fails on rank 0 alone.
        if let Some(files) = &mut self.files {
            files.metrics.show(step, batch)?;
        }
        let line = self.write(line)?;
        // What they wait for together is shared out, so that their times add up to that of the process.
        let waited = batch.waited.as_secs_f64() / beside as f64;
        self.position.data_wait += waited;
        self.position.seconds += waited + start.elapsed().as_secs_f64();
        Ok(line)
    }

    /// Reads what has not been read of the last step: the state stands for a resume point then. Either all ranks do so, or one that is
    /// about to end keeps no step that is not finite.
    pub(super) fn settle(&mut self, do_all: bool) -> Result<Option<StepMetrics>> {
        let start = Instant::now();
        let line = match self.training.settle() {
            Ok(line) => line,
            Err(error) if do_all || self.training.model.ranks().is_alone() => {
                return Err(self.kept(error));
            }
            Err(error) => return Err(error),
        };
        let line = self.write(line)?;
        self.position.seconds += start.elapsed().as_secs_f64();
        Ok(line)
    }

    /// Writes the numbers of a step down.
    fn write(&mut self, line: Option<StepMetrics>) -> Result<Option<StepMetrics>> {
        if let Some(line) = &line {
            if let Some(reference) = &self.reference {
                let apart = reference.check(line.step, line.loss)?;
                let before = self.position.apart.unwrap_or(0.0);
                self.position.apart = apart.map(|apart| apart.max(before)).or(self.position.apart);
            }
            if let Some(files) = &mut self.files {
                files.metrics.write(line)?;
            }
            if let Some(overlaps) = self.unread.remove(&line.step) {
                self.overlaps.add(&overlaps);
            }
            self.position.step = line.step + 1;
            self.position.loss = Some(line.loss);
        }
        self.stands = self.training.is_whole && !self.training.is_pending();
        Ok(line)
    }

    /// What ended the training, with the way to look at a step that was not finite.
    fn kept(&mut self, error: Error) -> Error {
        self.stands = self.training.is_whole && !self.training.is_pending();
        let Some(batch) = self.training.take_failed() else {
            return error;
        };
        let (state, device) = (self.training.state(), self.training.device);
        let ranks = self.training.model.ranks();
        // Only rank 0, which has a folder, keeps it.
        let folder = self.files.as_ref().map(|files| files.folder.as_path());
        let folder = folder.unwrap_or(Path::new(""));
        kept(error, folder, &state, &batch, device, ranks)
    }

    /// Its stage, and how much of each other the windows of this rank covered in this process.
    pub(super) fn overlaps(&self) -> (StageId, Overlaps) {
        (self.position.stage.clone(), self.overlaps.clone())
    }

    /// How many clips were asked for before this process, and the files that could not be read.
    pub(super) fn met(&self) -> (u64, &BTreeMap<String, String>) {
        (self.position.asked, &self.position.replaced)
    }

    /// Notes what making the batches has taken and met, on all ranks.
    pub(super) fn note(&mut self, data: &Data) {
        self.position.data_cpu = self.begun.data_cpu + data.cpu;
        self.position.data_samples = self.begun.data_samples + data.samples;
        self.position.asked = self.begun.asked + data.asked;
        self.position.overlaps = self.begun.overlaps.clone();
        if let Some(overlaps) = data.overlaps.get(&self.position.stage) {
            self.position.overlaps.add(overlaps);
        }
        self.position
            .replaced
            .extend(data.replaced.iter().map(|(n, c)| (n.clone(), c.clone())));
    }

    /// Leaves a resume point, unless there is one of this step.
    pub(super) fn save(&mut self) -> Result<()> {
        let Some(files) = &self.files else {
            return Ok(());
        };
        if self.position.step == self.saved {
            return Ok(());
        }
        // The point stands for the lines before it.
        files.metrics.sync()?;
        self.training
            .gradients
            .order()
            .clone_into(&mut self.position.order);
        let note = serde_json::to_string(&self.position).expect("a position is plain data");
        let state = self.training.state();
        let bytes = checkpoint::serialise(&files.folder, &state, (NOTE, &note))?;
        points::keep(&files.folder, self.position.step, &bytes)?;
        self.saved = self.position.step;
        Ok(())
    }

    /// Leaves a resume point where the state stands for one, as far as that can be done: what ended the training is what counts.
    pub(super) fn save_what_stands(&mut self) {
        if self.failed.is_none() && self.training.is_whole {
            let _ = self.settle(false);
        }
        if self.stands {
            // A device that is lost gives no tensor back.
            let _ = Error::caught(|| self.save());
        }
    }

    /// What ended it before its end.
    pub fn into_failure(self) -> Option<Error> {
        self.failed
    }

    /// Leaves the weights as [`checkpoint::FILE`], or says what ended the training.
    pub fn finish(mut self, batches: Option<&dyn Batches>) -> Result<TrainSummary> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let written = self.files.as_ref().map_or(Ok(()), |files| {
            let end = files.folder.join(checkpoint::FILE);
            files.metrics.sync()?;
            checkpoint::save(&end, self.training.model.entries())
        });
        if let Err(error) = written {
            self.save_what_stands();
            return Err(error);
        }
        if let Some(files) = self.files {
            files.metrics.finish()?;
        }
        Ok(TrainSummary {
            steps: self.training.steps,
            last_loss: self.position.loss,
            parameters: self.training.parameters(),
            seconds: self.position.seconds,
            data_wait: self.position.data_wait,
            data_cpu: self.position.data_cpu,
            data_samples: self.position.data_samples,
            loader_samples_per_s: batches.and_then(Batches::pace),
            replaced: self.position.replaced,
            overlaps: self.position.overlaps,
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
