//! What a stage leaves behind, as data: `run.json`, `result.json` and the lines of `metrics.jsonl`.

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
    pub later: BTreeMap<String, Maker>,
    /// An attempt that repeats a finished run, for such files.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
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
        if !maker.differences(&self.maker()).is_empty() && !before.contains(&maker) {
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

    /// What is greater of the newer one of two runs.
    pub fn age(&self) -> (u64, u64) {
        (self.order, self.started)
    }
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

/// The numeric environment: not part of a stage's identity, kept beside it, so that a report can say where a table mixes two.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Environment {
    /// The machine's name.
    pub host: String,
    /// `cpu`, or the name of the GPU.
    pub device: String,
    /// Threads of one operation; sums may be split by them.
    pub threads: u32,
    /// The version of PyTorch's library.
    pub torch: Option<String>,
    /// The version of CUDA.
    pub cuda: Option<String>,
    /// The version of FFmpeg's libraries.
    pub ffmpeg: Option<String>,
    /// Whether a GPU rounded the factors of float32 products to TF32; none on a processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tf32: Option<bool>,
    /// How maps lay on a GPU, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_format: Option<String>,
    /// Processes that trained together; none where one did alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranks: Option<u32>,
}

impl Environment {
    /// What could change a number: device kind and libraries, without the host's name, the threads and the ranks.
    pub fn numeric(&self) -> String {
        let version =
            |name: &str, value: &Option<String>| value.as_ref().map(|v| format!("{name} {v}"));
        let parts = [
            version("torch", &self.torch),
            version("CUDA", &self.cuda),
            version("FFmpeg", &self.ffmpeg),
            self.tf32.filter(|tf32| *tf32).map(|_| "TF32".to_owned()),
        ];
        [Some(self.device.clone())]
            .into_iter()
            .chain(parts)
            .flatten()
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// By what and where something was computed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maker {
    /// The version of crisscross.
    pub code: String,
    /// What the numbers may depend on beside it.
    pub environment: Environment,
}

impl Maker {
    /// Why `now` may round otherwise: `4 threads before, 2 now`. Of the machine only the kind of its device counts.
    pub fn differences(&self, now: &Maker) -> Vec<String> {
        let kind = |maker: &Maker| {
            let device = &maker.environment.device;
            device.split(':').next().unwrap_or_default().to_owned()
        };
        let threads = |maker: &Maker| maker.environment.threads.to_string();
        let ranks = |maker: &Maker| maker.environment.ranks.unwrap_or(1).to_string();
        let version = |of: &Option<String>| of.clone().unwrap_or_else(|| "none".to_owned());
        let switch = |is_on: Option<bool>| match is_on {
            Some(true) => "on".to_owned(),
            Some(false) | None => "off".to_owned(),
        };
        let (then, here) = (&self.environment, &now.environment);
        let all = [
            ("", " threads", threads(self), threads(now)),
            ("", " processes", ranks(self), ranks(now)),
            ("", "", kind(self), kind(now)),
            ("crisscross ", "", self.code.clone(), now.code.clone()),
            ("torch ", "", version(&then.torch), version(&here.torch)),
            ("CUDA ", "", version(&then.cuda), version(&here.cuda)),
            ("TF32 ", "", switch(then.tf32), switch(here.tf32)),
            (
                "maps ",
                "",
                version(&then.memory_format),
                version(&here.memory_format),
            ),
            ("FFmpeg ", "", version(&then.ffmpeg), version(&here.ffmpeg)),
        ];
        let differs = all.into_iter().filter(|(_, _, then, here)| then != here);
        differs
            .map(|(name, unit, then, here)| format!("{name}{then}{unit} before, {here} now"))
            .collect()
    }
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
    /// The largest gradient norm at the end of a fit, relative to that at zero weights.
    pub residual: f64,
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
    /// The metric at each cost tried, for `split: test` on the test split.
    pub tried: Vec<(String, f64)>,
    /// Samples that the classifier was fitted on.
    pub train: u64,
    /// Samples that it was scored on.
    pub test: u64,
}

/// `result.json` of a pretraining.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_round_otherwise_is_said() {
        let maker = |threads, ranks, device: &str, code: &str| Maker {
            code: code.to_owned(),
            environment: Environment {
                host: format!("node{threads}"),
                device: device.to_owned(),
                threads,
                ranks,
                ..Environment::default()
            },
        };
        let first = maker(4, None, "cpu", "0.1.0");
        assert!(first.differences(&first).is_empty());
        let said = first.differences(&maker(2, Some(2), "cuda:1", "0.2.0"));
        assert_eq!(
            said,
            [
                "4 threads before, 2 now",
                "1 processes before, 2 now",
                "cpu before, cuda now",
                "crisscross 0.1.0 before, 0.2.0 now"
            ]
        );
        // Another GPU of the same kind, one process that says so.
        let gpu = maker(1, Some(1), "cuda:0", "0.1.0");
        assert!(
            gpu.differences(&maker(1, None, "cuda:3", "0.1.0"))
                .is_empty()
        );
    }
}
