//! How far a finetuning is: its resume points, and a line of `metrics.jsonl` for each epoch.

use super::tuning::Tuning;
use crate::checkpoint;
use crate::error::{Error, Result};
use crate::eval::heads::Outcome;
use crate::resume::newest_usable;
use compiler::plan::StageId;
use records::folder::METRICS;
use records::points::{self, Point};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The version of [`Position`].
const FORMAT: u32 = 1;
/// Where a resume point has its [`Position`].
const NOTE: &str = "crisscross";

/// What a training is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// It chooses the epoch on held-out samples.
    Choose,
    /// It is scored on the test samples.
    Fit,
}

impl Part {
    /// What the training does, in front of the name of its split.
    pub(super) fn words(self) -> &'static str {
        match self {
            Part::Choose => "choosing the epoch of split",
            Part::Fit => "split",
        }
    }
}

/// A line of `metrics.jsonl`: an epoch of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// The fold or split.
    pub split: String,
    /// What the training is for.
    pub part: Part,
    /// Counted from 1; 0 is a training without any.
    pub epoch: u32,
    /// Steps of the training so far.
    pub steps: u64,
    /// The mean of the losses of its steps; none without any.
    pub loss: Option<f64>,
    /// The learning rate of its last step.
    pub rate: f64,
    /// The share of samples in percent whose class is found after it: of the test samples, or of those held out. None where nobody asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top1: Option<f64>,
    /// The share of samples whose class is among the first five.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top5: Option<f64>,
    /// Seconds that its steps took, over all processes.
    pub seconds: f64,
}

/// What was found with the weights of an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The epoch, from 1; 0 without any.
    pub epoch: u32,
    /// The share of samples in percent whose class was found.
    pub top1: f64,
    /// Of each sample that was asked about.
    pub outcomes: Vec<Outcome>,
}

/// What a resume point says beside the tensors. Random numbers are no part of it: they are functions of seed, sample, epoch and step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Position {
    format: u32,
    stage: StageId,
    /// Trainings that are finished.
    pub round: usize,
    /// Steps of the one under way, and of all together.
    pub step: u64,
    pub taken: u64,
    /// Epochs of it that are written down.
    pub epochs: u32,
    /// The sum of the losses of the epoch under way, and the seconds of its steps.
    pub losses: f64,
    pub seconds: f64,
    /// The best of the training under way.
    pub best: Option<Found>,
    /// The epoch that the training before this one has chosen for the same split, and the scores of all.
    pub chosen: Option<(u32, Vec<(String, f64)>)>,
    /// Of the splits that are finished, what was found with the weights that are scored, and the scores of all epochs that could have
    /// been chosen.
    pub judged: Vec<(Found, Vec<(String, f64)>)>,
    pub lines: Vec<EpochMetrics>,
    /// Different clips that were asked for, and files that could not be read.
    pub asked: u64,
    pub failed: BTreeMap<String, String>,
    /// Seconds of all processes.
    pub total: f64,
}

impl Position {
    fn first(stage: &StageId) -> Self {
        Self {
            format: FORMAT,
            stage: stage.clone(),
            round: 0,
            step: 0,
            taken: 0,
            epochs: 0,
            losses: 0.0,
            seconds: 0.0,
            best: None,
            chosen: None,
            judged: vec![],
            lines: vec![],
            asked: 0,
            failed: BTreeMap::new(),
            total: 0.0,
        }
    }

    /// Grows with all that is done: steps, epochs, trainings.
    fn place(&self) -> u64 {
        self.taken + self.lines.len() as u64 + self.round as u64
    }
}

/// A finetuning on its way, in a folder of its own.
pub(super) struct Course {
    folder: PathBuf,
    pub at: Position,
    metrics: File,
    /// The newest resume point, where that holds a state that has not been taken up.
    state: Option<(PathBuf, Vec<u8>)>,
    /// The place of the newest resume point.
    saved: Option<u64>,
}

impl Course {
    /// The finetuning in `folder`, from its newest resume point on, or from its beginning. What is passed over, `say` is told.
    ///
    /// # Errors
    /// Points of which none can be used; a folder that cannot be written.
    pub fn take_up(folder: &Path, stage: &StageId, say: &mut dyn FnMut(&str)) -> Result<Self> {
        let say = &mut |line: &str| say(&format!("  {line}"));
        let found = newest_usable(folder, say, |point| restore(point, stage))?;
        let (at, state) = match found {
            Some((at, bytes)) => (at, Some(bytes)),
            None => (Position::first(stage), None),
        };
        let path = folder.join(METRICS);
        let metrics = File::create(&path).map_err(Error::io("create", &path))?;
        let saved = state.is_some().then(|| at.place());
        let mut course = Self {
            folder: folder.to_owned(),
            metrics,
            state: state.filter(|_| at.step > 0),
            saved,
            at,
        };
        for line in course.at.lines.clone() {
            course.write(&line)?;
        }
        Ok(course)
    }

    /// Brings the training under way to where the newest resume point has it.
    ///
    /// # Errors
    /// A point of other networks.
    pub fn bring(&mut self, tuning: &Tuning) -> Result<()> {
        match self.state.take() {
            Some((path, bytes)) => checkpoint::fill(&path, &bytes, &tuning.state()),
            None => Ok(()),
        }
    }

    /// Adds a line to the metrics.
    pub fn note(&mut self, line: EpochMetrics) -> Result<()> {
        self.write(&line)?;
        self.at.lines.push(line);
        Ok(())
    }

    fn write(&mut self, line: &EpochMetrics) -> Result<()> {
        let mut text = serde_json::to_string(line).expect("metrics are plain data");
        text.push('\n');
        let written = self.metrics.write_all(text.as_bytes());
        written.map_err(Error::io("write", &self.folder.join(METRICS)))
    }

    /// Leaves a resume point with the state of the training under way, if it has one, unless there is one of this place.
    pub fn save(&mut self, tuning: Option<&Tuning>) -> Result<()> {
        let place = self.at.place();
        if self.saved == Some(place) {
            return Ok(());
        }
        let note = serde_json::to_string(&self.at).expect("a position is plain data");
        let state = tuning.map(Tuning::state).unwrap_or_default();
        let bytes = checkpoint::serialise(&self.folder, &state, (NOTE, &note))?;
        points::keep(&self.folder, place, &bytes)?;
        self.saved = Some(place);
        Ok(())
    }
}

/// What a resume point says, and itself.
type Restored = (Position, (PathBuf, Vec<u8>));

fn restore(point: &Point, stage: &StageId) -> Result<Restored> {
    let bytes = point.read()?;
    let unfit = |message: &str| Error::Checkpoint {
        path: point.path.clone(),
        message: message.to_owned(),
    };
    let note = checkpoint::note(&bytes, NOTE);
    let note = note.ok_or_else(|| unfit("it does not say where the finetuning was"))?;
    let at: Position = serde_json::from_str(&note)
        .ok()
        .filter(|at: &Position| at.format == FORMAT)
        .ok_or_else(|| unfit("another version of crisscross has written it"))?;
    if at.stage != *stage {
        return Err(unfit(&format!(
            "it belongs to stage {}, not to {}",
            at.stage.short(),
            stage.short()
        )));
    }
    Ok((at, (point.path.clone(), bytes)))
}
