//! Which clips of a data set take part, and what becomes of those that do not.

use super::manifest::splits::{Part, part};
use super::sampler::{Sampler, Unfit};
use super::source::{ClipSource, Streams};
use crate::error::{Error, Result};
use compiler::hir::{Data, Short};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Files that were asked for before a share of bad ones means anything.
const ENOUGH: usize = 100;

/// The clips that a stage can use, and the others.
#[derive(Debug, Default)]
pub struct Admission {
    /// Positions of the clips that are used, ascending.
    pub clips: Vec<u32>,
    /// Clips that lack a stream or are too short: what they lack, and their names.
    pub left_out: BTreeMap<String, Vec<String>>,
    /// Files that cannot be opened, and why.
    pub unreadable: Vec<(PathBuf, String)>,
}

impl Admission {
    /// Looks at every clip of the set: with one split, its test clips (fold 1) are no training clips.
    ///
    /// # Errors
    /// [`Error::Data`] where no clip is left, or one is too short under the rule `error`; [`Error::TooManyFailures`] where more
    /// than `max_bad_share` of the files cannot be opened.
    pub fn new(
        source: &dyn ClipSource,
        data: &Data,
        sampler: &Sampler,
        max_bad_share: f64,
    ) -> Result<Self> {
        let name = name_of(data);
        let mut admission = Self::default();
        for clip in 0..source.len() {
            let is_test = |fold| part(fold, 1) == Part::Test;
            if splits_of(data) == 1 && source.fold(clip).is_some_and(is_test) {
                continue;
            }
            let streams = match source.streams(clip) {
                Ok(streams) => streams,
                Err(error) => {
                    admission
                        .unreadable
                        .push((PathBuf::from(source.name(clip)), cause(error)));
                    continue;
                }
            };
            let lacks = data
                .requires()
                .iter()
                .find_map(|stream| match stream.as_str() {
                    "v" if streams.video.is_none() => Some(Unfit::Missing { stream: "pictures" }),
                    "a" if streams.audio.is_none() => Some(Unfit::Missing { stream: "sound" }),
                    _ => None,
                });
            if let (None, Some((stream, longer))) = (&lacks, brief(data, &streams)) {
                let kind = format!("{longer} s of {stream} or less");
                let names = admission.left_out.entry(kind).or_default();
                names.push(source.name(clip));
                continue;
            }
            match lacks.map_or_else(|| sampler.admit(&streams), Err) {
                Ok(()) => admission.clips.push(clip as u32),
                Err(unfit) => {
                    if matches!(unfit, Unfit::TooShort { .. }) && short_of(data) == Short::Error {
                        return Err(Error::Data {
                            name: name.to_owned(),
                            message: format!("`{}` is too short: {unfit}", source.name(clip)),
                            help: "write `short: skip`, `loop` or `pad`, or take shorter clips"
                                .to_owned(),
                        });
                    }
                    let kind = match &unfit {
                        Unfit::Missing { stream } => format!("no {stream}"),
                        Unfit::TooShort { stream, needs, .. } => {
                            format!("less than {needs:.3} s of {stream}")
                        }
                    };
                    admission
                        .left_out
                        .entry(kind)
                        .or_default()
                        .push(source.name(clip));
                }
            }
        }
        let mut tally = Tally::new(name, max_bad_share, source.len());
        tally.tried.extend(0..source.len() as u32);
        for (path, cause) in &admission.unreadable {
            tally
                .failed
                .insert(path.display().to_string(), cause.clone());
        }
        tally.check()?;
        if admission.clips.is_empty() {
            let left_out: Vec<String> = admission
                .left_out
                .iter()
                .map(|(kind, names)| format!("{} with {kind}", names.len()))
                .collect();
            let (left_out, help) = if left_out.is_empty() {
                (
                    "all are test clips".to_owned(),
                    "mark training clips as `train`, or train on another data set",
                )
            } else {
                (
                    left_out.join(", "),
                    "take shorter windows or another relaxation, or write `short: pad`",
                )
            };
            return Err(Error::Data {
                name: name.to_owned(),
                message: format!(
                    "none of its {} clips can be trained on: {left_out}",
                    source.len()
                ),
                help: help.to_owned(),
            });
        }
        Ok(admission)
    }

    /// What was left out, in a line each, for people.
    pub fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = self
            .left_out
            .iter()
            .map(|(kind, names)| {
                format!("{} clips left out with {kind}: {}", names.len(), few(names))
            })
            .collect();
        if !self.unreadable.is_empty() {
            let names: Vec<String> = self
                .unreadable
                .iter()
                .map(|(path, cause)| format!("{} ({cause})", path.display()))
                .collect();
            notes.push(format!(
                "{} files cannot be opened: {}",
                names.len(),
                few(&names)
            ));
        }
        notes
    }
}

/// The first few of the names.
fn few(names: &[String]) -> String {
    let more = if names.len() > 3 { ", ..." } else { "" };
    format!("{}{more}", names[..names.len().min(3)].join(", "))
}

/// Files asked for and files that failed, against the share that may.
#[derive(Debug)]
pub struct Tally {
    name: String,
    max_bad_share: f64,
    clips: usize,
    /// Clips that were asked for.
    pub tried: BTreeSet<u32>,
    /// Names of the files that could not be read, and why.
    pub failed: BTreeMap<String, String>,
}

impl Tally {
    /// Nothing tried yet, of a data set of so many clips.
    pub fn new(name: &str, max_bad_share: f64, clips: usize) -> Self {
        Self {
            name: name.to_owned(),
            max_bad_share,
            clips,
            tried: BTreeSet::new(),
            failed: BTreeMap::new(),
        }
    }

    /// Whether the share is still as it may be; of the first few files it says nothing.
    ///
    /// # Errors
    /// [`Error::TooManyFailures`] with the list.
    pub fn check(&self) -> Result<()> {
        let total = self.tried.len();
        let is_enough = total >= self.clips.min(ENOUGH);
        if is_enough && self.failed.len() as f64 > self.max_bad_share * total as f64 {
            return Err(self.error());
        }
        Ok(())
    }

    /// The list as an error.
    pub fn error(&self) -> Error {
        let failed = self
            .failed
            .iter()
            .map(|(name, cause)| (PathBuf::from(name), cause.clone()))
            .collect();
        Error::TooManyFailures {
            name: self.name.clone(),
            total: self.tried.len(),
            failed,
        }
    }
}

/// The name of the data set for messages.
pub fn name_of(data: &Data) -> &str {
    match data {
        Data::Synthetic(_) => "synthetic",
        Data::Videos(files) | Data::Sounds(files) => &files.name,
    }
}

/// The data set's rule for short sources; rendered clips are all equally long, so one that is too short is a mistake.
pub fn short_of(data: &Data) -> Short {
    match data {
        Data::Synthetic(_) => Short::Error,
        Data::Videos(files) | Data::Sounds(files) => files.short,
    }
}

/// The stream of a source that is not longer than the data set asks for, and what it asks for in seconds.
fn brief(data: &Data, streams: &Streams) -> Option<(&'static str, String)> {
    let longer = match data {
        Data::Synthetic(_) => None,
        Data::Videos(files) | Data::Sounds(files) => files.longer,
    }?;
    let required = data.requires().iter();
    let of = |stream: &String| match stream.as_str() {
        "v" => streams.video.map(|limits| ("pictures", limits)),
        "a" => streams.audio.map(|limits| ("sound", limits)),
        _ => None,
    };
    required.filter_map(of).find_map(|(stream, limits)| {
        let is_brief = limits.end - limits.start <= longer.to_f64();
        is_brief.then(|| (stream, longer.decimal()))
    })
}

fn splits_of(data: &Data) -> u32 {
    match data {
        Data::Synthetic(synthetic) => synthetic.splits,
        Data::Videos(files) | Data::Sounds(files) => files.splits,
    }
}

/// What is wrong with a file, without its name.
pub(super) fn cause(error: Error) -> String {
    if let Error::Decode { cause, .. } = error {
        return cause;
    }
    error.to_string()
}
