//! What a stage leaves behind, as data: `run.json`, `result.json` and the lines of `metrics.jsonl`.

pub use crate::maker::{Environment, Later, Maker};
use compiler::plan::{StageId, Work};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The version of the formats in this file; a reader refuses others.
pub const FORMAT: u32 = 1;

/// `run.json`: what was done, by what, where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// [`FORMAT`].
    pub format: u32,
    /// The whole content hash of the stage: its identity.
    pub stage: StageId,
    /// What kind of stage it is.
    pub kind: Kind,
    /// Fingerprint of the files that it was made from, those of the stages before it included; empty where no file was read.
    /// Beside `stage` it tells runs apart: the plan knows a data set's name, not what lies there.
    #[serde(default)]
    pub data: String,
    /// For people; of the plan that ran it first.
    pub label: String,
    /// Content hash of the whole plan that it was part of.
    pub plan: String,
    /// Made with `--toy`.
    pub toy: bool,
    /// What the command line set above the files that asked for it: `bs = 64`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
    /// What was typed to make it, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The version of crisscross that ran it.
    pub code: String,
    /// What the numbers may depend on beside the plan.
    pub environment: Environment,
    /// By what and where it was trained before it was taken up here, as far as that may round otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Maker>,
    /// By what and where files were made that were asked for when it was finished, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub later: BTreeMap<String, Later>,
    /// An attempt that repeats a finished run, for such files.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// Where its weights come from, where they were not trained here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Imported>,
    /// Whether it is finished.
    pub status: Status,
    /// Seconds since 1970 at its start, by a clock that may have been wrong.
    pub started: u64,
    /// Its place among the finished runs of its folder, from 1 in the order in which they finished: which one is newer does not depend
    /// on a clock. 0 while it runs, and in runs of older versions.
    #[serde(default)]
    pub order: u64,
    /// The BLAKE3 hashes of the files that other stages read, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sums: BTreeMap<String, String>,
    /// Seconds from start to end; 0 while it runs.
    pub seconds: f64,
}

impl Run {
    /// Whether both are attempts at the same: a stage, made from the same files, for the first time or again.
    pub(crate) fn is_of_the_same(&self, other: &Run) -> bool {
        self.stage == other.stage && self.data == other.data && self.again == other.again
    }

    /// This one as it goes on with what another began.
    pub(crate) fn after(self, other: &Run) -> Run {
        let mut before = other.before.clone();
        let maker = other.maker();
        let is_other = !maker.differences(&self.maker()).is_empty()
            || maker.environment.host != self.environment.host;
        if is_other && !before.contains(&maker) {
            before.push(maker);
        }
        Run {
            started: other.started,
            seconds: other.seconds,
            before,
            ..self
        }
    }

    /// By what and where it is made.
    pub fn maker(&self) -> Maker {
        Maker {
            code: self.code.clone(),
            environment: self.environment.clone(),
        }
    }

    /// Why the numbers of a repetition by `now` may be rounded otherwise than those of this run; `None` where each is the same to the last
    /// bit.
    pub fn rounding(&self, now: &Maker) -> Option<String> {
        let last = self.maker();
        let mut makers = self.before.iter().chain([&last]);
        makers.find_map(|then| then.rounding(now))
    }

    /// What is greater of the newer one of two runs.
    pub fn age(&self) -> (u64, u64) {
        (self.order, self.started)
    }
}

/// Weights that stand in the place of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Imported {
    /// The files, in the order in which they were named.
    pub files: Vec<ImportedFile>,
    /// The networks whose weights they hold: `video_backbone`. Others have none here.
    pub networks: Vec<String>,
}

impl Imported {
    /// The fingerprint of what such a run was made from: stages on imported weights are told from those on trained ones by it.
    pub fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"imported");
        for file in &self.files {
            hasher.update(file.blake3.as_bytes());
        }
        hasher.update(self.networks.join(" ").as_bytes());
        hasher.finalize().to_hex().to_string()
    }
}

/// A file that weights were taken from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImportedFile {
    /// As it was named.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Its BLAKE3 hash.
    pub blake3: String,
    /// Whose names it has: `authors`, `torchvision`.
    pub names: String,
    /// The networks that it holds.
    pub networks: Vec<String>,
}

/// The kinds of stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Kind {
    Pretrain,
    Extract,
    Finetune,
    Score,
    Draw,
}

impl Kind {
    /// The kind of this work.
    pub fn of(work: &Work) -> Self {
        match work {
            Work::Pretrain(_) => Kind::Pretrain,
            Work::Extract(_) => Kind::Extract,
            Work::Finetune(_) => Kind::Finetune,
            Work::Score(_) => Kind::Score,
            Work::Draw(_) => Kind::Draw,
        }
    }

    /// `pretrain`, `extract`, `finetune`, `score`, `draw`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Pretrain => "pretrain",
            Kind::Extract => "extract",
            Kind::Finetune => "finetune",
            Kind::Score => "score",
            Kind::Draw => "draw",
        }
    }
}

/// How far a stage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Status {
    Running,
    Complete,
}

/// `result.json` of a score stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreResult {
    /// The metric in percent, as the mean over `folds`.
    pub value: f64,
    /// The metric of each fold or split, in order; one entry where there is one split.
    pub folds: Vec<FoldResult>,
    /// How the classifiers were fitted; `None` for scores without any.
    #[serde(default)]
    pub solver: Option<Solver>,
    /// Clips that were counted and left out or drawn again.
    pub clips: ClipCounts,
    /// Seconds that it took.
    pub seconds: f64,
}

/// The solver behind a score: it belongs to the result, for two solvers may stop at different points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Solver {
    /// Its name.
    pub name: String,
    /// Its tolerance.
    pub tolerance: f64,
    /// The largest gradient at the end of a fit, its norm divided by that at zero weights and by the share of the rarer side.
    pub residual: f64,
    /// All fits, those by which a cost is chosen among them.
    #[serde(default)]
    pub fits: u64,
    /// Fits that ended above the tolerance; 0 where all converged.
    pub unconverged: u64,
}

impl ScoreResult {
    /// The result of these folds. `value` is their mean; 0 without any.
    pub fn of_folds(folds: Vec<FoldResult>, clips: ClipCounts, seconds: f64) -> Self {
        let sum: f64 = folds.iter().map(|fold| fold.value).sum();
        Self {
            value: sum / folds.len().max(1) as f64,
            folds,
            solver: None,
            clips,
            seconds,
        }
    }
}

/// One fold of a score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoldResult {
    /// Its name: `1`, or `test`.
    pub name: String,
    /// The metric in percent.
    pub value: f64,
    /// The cost that was chosen, as the file writes it; `None` for a head without one.
    pub cost: Option<String>,
    /// The epoch whose weights are scored, from 1; `None` for a head that is not trained in epochs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u32>,
    /// The metric at each cost or epoch tried, for `split: test` on the test split.
    pub tried: Vec<(String, f64)>,
    /// Samples that the classifier was fitted on.
    pub train: u64,
    /// Samples that it was scored on.
    pub test: u64,
    /// Classes of the data set that none of these is of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untested: Vec<String>,
}

/// `result.json` of a pretraining.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PretrainResult {
    /// Optimiser steps.
    pub steps: u64,
    /// The loss of the last step; `None` for random weights.
    pub loss: Option<f64>,
    /// Trained parameters.
    pub parameters: u64,
    /// Clips that were counted and left out or drawn again.
    pub clips: ClipCounts,
    /// Seconds that it took.
    pub seconds: f64,
    /// Seconds of them that steps waited for their batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_wait: Option<f64>,
    /// Seconds of processor time that its batches took, for all that stepped on them together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_cpu: Option<f64>,
    /// Samples that were made for that, those that replaced another among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_samples: Option<u64>,
    /// Samples per second that the loader made where no step held it up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loader_samples_per_s: Option<f64>,
    /// Of each pair of views, `v1a2`, the mean share of the shorter window that the other covered, over all samples of all steps.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub overlaps: BTreeMap<String, f64>,
}

/// `result.json` of an extraction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExtractResult {
    /// Samples of the set.
    pub samples: u64,
    /// Values of one feature vector.
    pub width: u64,
    /// Clips that were counted and left out or drawn again.
    pub clips: ClipCounts,
    /// Seconds that it took.
    pub seconds: f64,
}

/// `result.json` of a drawing. The picture is `figure.svg` beside it, and what it shows `figure.json` and `figure.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DrawResult {
    /// Numbers of the figure, by name: `uniformity`.
    pub numbers: BTreeMap<String, f64>,
    /// Clips that were counted and left out, those behind its features included.
    pub clips: ClipCounts,
    /// Seconds that it took.
    pub seconds: f64,
}

/// Clips that could not be used as they were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClipCounts {
    /// Clips asked for.
    pub asked: u64,
    /// Files left out for being shorter than the window, or without a stream that is needed.
    pub skipped: u64,
    /// Of a pretraining, those files by what they lack: `no sound`, `less than 3.000 s of pictures`.
    #[serde(default)]
    pub left_out: BTreeMap<String, u64>,
    /// Of a pretraining, files that were used though they are shorter than the windows: repeated or filled up by the data set's rule.
    #[serde(default)]
    pub filled: u64,
    /// Files that could not be decoded, with the reason, sorted.
    pub undecodable: Vec<(PathBuf, String)>,
}

impl ClipCounts {
    /// Those of two readings of one data set: what one of them could not use is counted once.
    #[must_use]
    pub fn beside(mut self, other: ClipCounts) -> Self {
        for (reason, count) in other.left_out {
            let most = self.left_out.entry(reason).or_default();
            *most = count.max(*most);
        }
        self.undecodable.extend(other.undecodable);
        self.undecodable.sort();
        self.undecodable.dedup_by(|a, b| a.0 == b.0);
        Self {
            asked: self.asked.max(other.asked),
            skipped: self.skipped.max(other.skipped),
            filled: self.filled.max(other.filled),
            ..self
        }
    }
}
