//! Which clips of a data set take part, and what becomes of those that do not.

use super::manifest::splits::{Part, part};
use super::sampler::{Sampler, Unfit};
use super::source::{ClipSource, Streams};
use crate::error::{Error, Result};
use compiler::hir::{Data, Short};
use compiler::units::Exact;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Files that were asked for before a share of bad ones means anything.
const ENOUGH: usize = 100;
/// Clips that a note names.
const NAMED: usize = 3;

/// The clips that a stage can use, and the others.
#[derive(Debug, Default)]
pub struct Admission {
    /// Positions of the clips that are used, ascending.
    pub clips: Vec<u32>,
    /// Clips that lack a stream or are too short, by what they lack.
    pub left_out: BTreeMap<String, LeftOut>,
    /// Files that cannot be opened, and why.
    pub unreadable: Vec<(PathBuf, String)>,
    /// Clips that are used though they are shorter than the windows: they are repeated or filled up.
    pub filled: usize,
    /// The rule by which they are, for the note.
    pub rule: &'static str,
    /// What to do about the reasons for which clips are left out.
    pub helps: BTreeSet<&'static str>,
    /// The first clip that is too short.
    pub too_short: Option<(u32, Unfit)>,
}

/// Clips that are left out for one reason.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LeftOut {
    /// How many.
    pub count: usize,
    /// The names of the first few.
    pub names: Vec<String>,
}

impl LeftOut {
    fn add(&mut self, name: impl FnOnce() -> String) {
        self.count += 1;
        if self.names.len() < NAMED {
            self.names.push(name());
        }
    }
}

/// Why a clip is left out, without a text for each clip.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    Lacks(&'static str),
    /// Less than so many seconds, as bits.
    Short(&'static str, u64),
    Brief(&'static str),
}

impl Reason {
    /// What to do where no clip is left for this reason.
    fn help(self) -> &'static str {
        match self {
            Reason::Lacks(_) => {
                "take a data set whose clips have the stream, or an experiment that does not read it"
            }
            Reason::Short(..) => {
                "take shorter windows or another relaxation, or write `short: pad`"
            }
            Reason::Brief(_) => "take longer clips, or ask for less with `longer`",
        }
    }
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
        let admission = Self::sort(source, data, sampler);
        admission.check(source, data, max_bad_share)?;
        Ok(admission)
    }

    /// Looks at those clips of the set alone that `takes` takes.
    ///
    /// # Errors
    /// As [`Admission::new`].
    pub fn of_some(
        source: &dyn ClipSource,
        data: &Data,
        sampler: &Sampler,
        max_bad_share: f64,
        takes: &dyn Fn(usize) -> bool,
    ) -> Result<Self> {
        let admission = Self::sort_some(source, data, sampler, takes);
        admission.check(source, data, max_bad_share)?;
        Ok(admission)
    }

    /// Refuses what no run begins with.
    ///
    /// # Errors
    /// As [`Admission::new`].
    pub fn check(&self, source: &dyn ClipSource, data: &Data, max_bad_share: f64) -> Result<()> {
        let name = name_of(data);
        if let (Short::Error, Some((clip, unfit))) = (short_of(data), &self.too_short) {
            return Err(too_short(data, &source.name(*clip as usize), unfit));
        }
        let (bad, all) = (self.unreadable.len(), self.asked());
        if bad as f64 > max_bad_share * all as f64 {
            return Err(Error::TooManyFailures {
                name: name.to_owned(),
                total: all,
                failed: self.unreadable.clone(),
            });
        }
        if self.clips.is_empty() {
            let mut causes: Vec<String> = self
                .left_out
                .iter()
                .map(|(kind, out)| format!("{} with {kind}", out.count))
                .collect();
            let mut helps: Vec<&str> = self.helps.iter().copied().collect();
            if bad > 0 {
                causes.push(format!("{bad} unreadable"));
                helps.push("see what `crisscross data check` says of the files");
            }
            if causes.is_empty() {
                causes.push("all are test clips".to_owned());
                helps.push("mark training clips as `train`, or train on another data set");
            }
            return Err(Error::Data {
                name: name.to_owned(),
                message: format!(
                    "none of its {} clips can be trained on: {}",
                    source.len(),
                    causes.join(", ")
                ),
                help: helps.join("; "),
            });
        }
        Ok(())
    }

    /// Clips that were looked at: all but the test clips.
    pub fn asked(&self) -> usize {
        let left_out: usize = self.left_out.values().map(|out| out.count).sum();
        self.clips.len() + left_out + self.unreadable.len()
    }

    /// Looks at every clip of the set, as [`Admission::new`] does, whatever comes of it.
    pub fn sort(source: &dyn ClipSource, data: &Data, sampler: &Sampler) -> Self {
        let is_one = splits_of(data) == 1;
        let is_test = |fold| part(fold, 1) == Part::Test;
        let takes = |clip| !(is_one && source.fold(clip).is_some_and(is_test));
        Self::sort_some(source, data, sampler, &takes)
    }

    fn sort_some(
        source: &dyn ClipSource,
        data: &Data,
        sampler: &Sampler,
        takes: &dyn Fn(usize) -> bool,
    ) -> Self {
        let mut admission = Self::default();
        let mut reasons: BTreeMap<Reason, LeftOut> = BTreeMap::new();
        let requires = data.requires();
        let requires = |stream: &str| requires.iter().any(|required| required == stream);
        let (needs_video, needs_audio) = (requires("v"), requires("a"));
        admission.rule = match short_of(data) {
            Short::Loop => "are repeated",
            Short::Pad => "are filled up",
            Short::Skip | Short::Error => "",
        };
        let is_lenient = !admission.rule.is_empty();
        for clip in (0..source.len()).filter(|clip| takes(*clip)) {
            let streams = match source.streams(clip) {
                Ok(streams) => streams,
                Err(error) => {
                    let name = PathBuf::from(source.name(clip));
                    admission.unreadable.push((name, cause(error)));
                    continue;
                }
            };
            let reason = if needs_video && streams.video.is_none() {
                Reason::Lacks("pictures")
            } else if needs_audio && streams.audio.is_none() {
                Reason::Lacks("sound")
            } else if let Some(stream) = brief(data, &streams) {
                Reason::Brief(stream)
            } else {
                match sampler.admit(&streams) {
                    Ok(()) => {
                        admission.clips.push(clip as u32);
                        admission.filled +=
                            usize::from(is_lenient && sampler.fits(&streams).is_err());
                        continue;
                    }
                    Err(Unfit::Missing { stream }) => Reason::Lacks(stream),
                    Err(unfit @ Unfit::TooShort { stream, needs, .. }) => {
                        admission.too_short.get_or_insert((clip as u32, unfit));
                        Reason::Short(stream, needs.to_bits())
                    }
                }
            };
            reasons.entry(reason).or_default().add(|| source.name(clip));
        }
        for (reason, out) in reasons {
            admission.helps.insert(reason.help());
            let kind = match reason {
                Reason::Lacks(stream) => format!("no {stream}"),
                Reason::Short(stream, needs) => {
                    format!("less than {:.3} s of {stream}", f64::from_bits(needs))
                }
                Reason::Brief(stream) => {
                    let longer = longer_of(data).map_or(String::new(), |longer| longer.decimal());
                    format!("{longer} s of {stream} or less")
                }
            };
            // Two lengths may read alike.
            let all = admission.left_out.entry(kind).or_default();
            all.count += out.count;
            let free = NAMED - all.names.len();
            all.names.extend(out.names.into_iter().take(free));
        }
        admission
    }

    /// What was left out, in a line each, for people.
    pub fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = self
            .left_out
            .iter()
            .map(|(kind, out)| {
                let more = if out.count > out.names.len() {
                    ", ..."
                } else {
                    ""
                };
                let names = out.names.join(", ");
                format!("{} clips left out with {kind}: {names}{more}", out.count)
            })
            .collect();
        if self.filled > 0 {
            notes.push(format!(
                "{} clips that are shorter than the windows {}",
                self.filled, self.rule
            ));
        }
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
    let more = if names.len() > NAMED { ", ..." } else { "" };
    format!("{}{more}", names[..names.len().min(NAMED)].join(", "))
}

/// Files asked for and files that failed, against the share that may.
#[derive(Clone, Debug)]
pub struct Tally {
    name: String,
    max_bad_share: f64,
    clips: usize,
    /// Clips that were asked for elsewhere: before this process, or by other ranks.
    pub elsewhere: u64,
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
            elsewhere: 0,
            tried: BTreeSet::new(),
            failed: BTreeMap::new(),
        }
    }

    /// Whether the share is still as it may be; of the first few files it says nothing.
    ///
    /// # Errors
    /// [`Error::TooManyFailures`] with the list.
    pub fn check(&self) -> Result<()> {
        let total = self.total();
        let is_enough = total >= self.clips.min(ENOUGH);
        if is_enough && self.failed.len() as f64 > self.max_bad_share * total as f64 {
            return Err(self.error());
        }
        Ok(())
    }

    /// Whether the share of all clips of the data set is as it may be, once all that are asked for have been tried.
    ///
    /// # Errors
    /// As [`Tally::check`].
    pub fn finish(&mut self) -> Result<()> {
        self.elsewhere = self.clips as u64;
        self.check()
    }

    /// Clips that were asked for, here and elsewhere, each counted once as far as that is known.
    fn total(&self) -> usize {
        let elsewhere = usize::try_from(self.elsewhere).unwrap_or(usize::MAX);
        let all = self.tried.len().saturating_add(elsewhere);
        all.min(self.clips.max(self.tried.len()))
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
            total: self.total(),
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

/// A sample that is too short where the data set says that this is a mistake.
pub(super) fn too_short(data: &Data, sample: &str, unfit: &Unfit) -> Error {
    Error::Data {
        name: name_of(data).to_owned(),
        message: format!("`{sample}` is too short: {unfit}"),
        help: "write `short: skip`, `loop` or `pad`, or take shorter clips".to_owned(),
    }
}

/// The stream of a source that is not longer than the data set asks for.
fn brief(data: &Data, streams: &Streams) -> Option<&'static str> {
    let longer = longer_of(data)?.to_f64();
    let required = data.requires().iter();
    let of = |stream: &String| match stream.as_str() {
        "v" => streams.video.map(|limits| ("pictures", limits)),
        "a" => streams.audio.map(|limits| ("sound", limits)),
        _ => None,
    };
    required.filter_map(of).find_map(|(stream, limits)| {
        let is_brief = limits.end - limits.start <= longer;
        is_brief.then_some(stream)
    })
}

fn longer_of(data: &Data) -> Option<Exact> {
    match data {
        Data::Synthetic(_) => None,
        Data::Videos(files) | Data::Sounds(files) => files.longer,
    }
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
