//! `data stats`: what a data set holds, and how many of its clips each experiment can use.

use super::admission::Admission;
use super::index::{Coded, Index, Known};
use super::manifest::Manifest;
use super::manifest::splits::{Part, part};
use super::reader;
use super::sampler::{Sampler, Unfit};
use super::shards::Shards;
use super::source::{ClipSource, Limits, Streams};
use compiler::hir::{Data, Eval, Pretrain};
use records::site::Site;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Upper ends of the classes of durations, in seconds.
const LENGTHS: [f64; 8] = [0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0];
/// Names that a line gives.
const NAMED: usize = 3;

/// Counts by what is counted, the most frequent first.
type Counts = Vec<(String, usize)>;

/// The pictures or the sound of a data set.
#[derive(Debug, Default, Serialize)]
pub struct Stream {
    /// Files that have it.
    pub files: usize,
    /// Hours in all.
    pub hours: f64,
    /// Files by duration: `1 to 2 s`.
    pub lengths: Counts,
    /// Files by codec; empty where it is not known.
    pub codecs: Counts,
    /// Files by size in pixels, or by number of channels.
    pub shapes: Counts,
    /// Files by frames or samples per second.
    pub rates: Counts,
}

/// What a data set holds.
#[derive(Debug, Default, Serialize)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// Its layout; `packed` where it is packed into shards.
    pub layout: String,
    /// What is kept in the shards, in words.
    pub quality: Option<String>,
    /// Clips that are listed and there.
    pub clips: usize,
    /// Clips that are listed and not there.
    pub missing: u64,
    /// Files that cannot be opened, and why.
    pub unreadable: Counts,
    /// The pictures.
    pub pictures: Stream,
    /// The sound.
    pub sound: Stream,
    /// Number of classes.
    pub classes: usize,
    /// By split: training clips, test clips, and the fewest and most training clips of a class.
    pub splits: Vec<[usize; 4]>,
    /// What a reader should know of the listing.
    pub notes: Vec<String>,
}

/// What a part of an experiment can use.
#[derive(Debug, Serialize)]
pub struct Usable {
    /// The stage as a plan calls it.
    pub stage: String,
    /// The data set.
    pub data: String,
    /// Clips of the set.
    pub clips: usize,
    /// Clips that it uses.
    pub used: usize,
    /// Of these, clips that are shorter than the windows and repeated or filled up.
    pub filled: usize,
    /// Clips that it does not use, by reason.
    pub left_out: BTreeMap<String, usize>,
    /// Why no run begins with this set, if none does.
    pub refused: Option<String>,
}

/// What the index of a set says; `splits` as it is declared, or as it lies there.
pub fn describe(index: &Index, splits: Option<u32>) -> Described {
    let known = |row| (index.columns.known(row), index.columns.coded(row));
    of_rows(&index.manifest, &known, splits)
}

/// What is in the shards of a packed set; `splits` as in [`describe`].
pub fn describe_packed(shards: &Shards, splits: Option<u32>) -> Described {
    let known = |clip| {
        let streams = shards.streams(clip).map_err(super::admission::cause);
        (streams, shards.coded(clip))
    };
    Described {
        layout: "packed".to_owned(),
        quality: Some(shards.quality().to_string()),
        ..of_rows(&shards.manifest(), &known, splits)
    }
}

/// What is known of each file of a listing.
fn of_rows(
    manifest: &Manifest,
    known: &dyn Fn(usize) -> (Known, Coded),
    splits: Option<u32>,
) -> Described {
    let (mut pictures, mut sound) = (Tally::default(), Tally::default());
    let mut unreadable = BTreeMap::new();
    for row in 0..manifest.len() {
        let (streams, coded) = known(row);
        let streams = match streams {
            Ok(streams) => streams,
            Err(cause) => {
                *unreadable.entry(cause).or_default() += 1;
                continue;
            }
        };
        if let Some(limits) = streams.video {
            let shape = format!("{}x{}", coded.width, coded.height);
            pictures.add(limits, coded.video, shape, format!("{:.4}", coded.fps));
        }
        if let Some(limits) = streams.audio {
            let shape = match coded.channels {
                1 => "mono".to_owned(),
                2 => "stereo".to_owned(),
                n => format!("{n} channels"),
            };
            sound.add(limits, coded.audio, shape, coded.rate.to_string());
        }
    }
    let folds = || (0..manifest.len()).filter_map(|row| manifest.fold(row));
    let plain = folds().filter(|fold| *fold < 100).max().unwrap_or(0);
    let splits = splits.unwrap_or(plain.max(u32::from(folds().next().is_some())));
    let of_split = |split: u32| {
        let mut classes = vec![0; manifest.classes.len()];
        let (mut trained, mut tested) = (0, 0);
        for row in 0..manifest.len() {
            match manifest.fold(row).map(|fold| part(fold, split)) {
                Some(Part::Test) => tested += 1,
                Some(Part::Train) => {
                    trained += 1;
                    if let Some(label) = manifest.label(row) {
                        classes[label as usize] += 1;
                    }
                }
                Some(Part::Neither) | None => {}
            }
        }
        let fewest = classes.iter().min().copied().unwrap_or(0);
        [
            trained,
            tested,
            fewest,
            classes.iter().max().copied().unwrap_or(0),
        ]
    };
    Described {
        name: manifest.name.clone(),
        layout: manifest.layout.name().to_owned(),
        quality: None,
        clips: manifest.len(),
        missing: manifest.missing.0,
        unreadable: sorted(unreadable),
        pictures: pictures.stream(),
        sound: sound.stream(),
        classes: manifest.classes.len(),
        splits: (1..=splits)
            .map(of_split)
            .filter(|[trained, tested, ..]| trained + tested > 0)
            .collect(),
        notes: manifest.notes.clone(),
    }
}

#[derive(Default)]
struct Tally {
    stream: Stream,
    lengths: [usize; LENGTHS.len() + 1],
    codecs: BTreeMap<String, usize>,
    shapes: BTreeMap<String, usize>,
    rates: BTreeMap<String, usize>,
}

impl Tally {
    fn add(&mut self, limits: Limits, codec: String, shape: String, rate: String) {
        let length = (limits.end - limits.start).max(0.0);
        self.stream.files += 1;
        self.stream.hours += length / 3600.0;
        self.lengths[LENGTHS.partition_point(|end| *end <= length)] += 1;
        *self.codecs.entry(codec).or_default() += 1;
        *self.shapes.entry(shape).or_default() += 1;
        let rate = match rate.split_once('.') {
            Some(_) => rate.trim_end_matches('0').trim_end_matches('.').to_owned(),
            None => rate,
        };
        *self.rates.entry(rate).or_default() += 1;
    }

    fn stream(self) -> Stream {
        let name = |at: usize| match at {
            0 => format!("under {} s", LENGTHS[0]),
            at if at == LENGTHS.len() => format!("{} s and more", LENGTHS[at - 1]),
            at => format!("{} to {} s", LENGTHS[at - 1], LENGTHS[at]),
        };
        let lengths = self
            .lengths
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0);
        Stream {
            lengths: lengths.map(|(at, count)| (name(at), *count)).collect(),
            codecs: sorted(self.codecs),
            shapes: sorted(self.shapes),
            rates: sorted(self.rates),
            ..self.stream
        }
    }
}

/// The most frequent first.
fn sorted(counts: BTreeMap<String, usize>) -> Counts {
    let mut counts: Counts = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

/// How many clips a pretraining can use, and whether it begins at all where so large a share of files may be bad.
pub fn pretraining(
    stage: &str,
    settings: &Pretrain,
    source: &dyn ClipSource,
    max_bad_share: f64,
) -> Usable {
    let data = &settings.data;
    let short = super::admission::short_of(data);
    let sampler = Sampler::new(&settings.relax, settings.views, short, &settings.modalities);
    let admission = Admission::sort(source, data, &sampler);
    let mut left_out: BTreeMap<String, usize> = admission
        .left_out
        .iter()
        .map(|(kind, out)| (kind.clone(), out.count))
        .collect();
    let unreadable = admission.unreadable.len();
    let counted = left_out.values().sum::<usize>() + unreadable + admission.clips.len();
    for (kind, count) in [
        ("unreadable", unreadable),
        ("test clips", source.len() - counted),
    ] {
        if count > 0 {
            left_out.insert(kind.to_owned(), count);
        }
    }
    Usable {
        stage: stage.to_owned(),
        data: super::admission::name_of(data).to_owned(),
        clips: source.len(),
        used: admission.clips.len(),
        filled: admission.filled,
        left_out,
        refused: admission
            .check(source, data, max_bad_share)
            .err()
            .map(|error| error.to_string()),
    }
}

/// How many clips an evaluation can use, for training and test together.
/// `refused` says why no run begins with its set.
pub fn evaluation(
    stage: &str,
    eval: &Eval,
    source: &dyn ClipSource,
    refused: Option<String>,
) -> Usable {
    let mut left_out: BTreeMap<String, usize> = BTreeMap::new();
    let (mut used, mut filled) = (0, 0);
    for clip in 0..source.len() {
        let streams = source.streams(clip);
        let kind = match streams.as_ref().map(|streams| lacks(streams, eval)) {
            Ok(None) => {
                used += 1;
                let is_filled = |streams: &Streams| reader::is_short(streams, eval);
                filled += usize::from(streams.as_ref().is_ok_and(is_filled));
                continue;
            }
            Ok(Some(kind)) => kind,
            Err(_) => "unreadable".to_owned(),
        };
        *left_out.entry(kind).or_default() += 1;
    }
    Usable {
        stage: stage.to_owned(),
        data: super::admission::name_of(&eval.data).to_owned(),
        clips: source.len(),
        used,
        filled,
        left_out,
        refused,
    }
}

/// What a clip lacks for an evaluation.
fn lacks(streams: &Streams, eval: &Eval) -> Option<String> {
    match reader::fits(streams, &eval.data, &eval.clip) {
        Ok(_) => None,
        Err(Unfit::Missing { stream }) => Some(format!("no {stream}")),
        Err(Unfit::TooShort { stream, needs, .. }) => {
            Some(format!("less than {needs:.3} s of {stream}"))
        }
    }
}

/// Why no run scores on this data set, if none does.
pub fn refusal(data: &Data, site: &Site) -> Option<String> {
    let set = files_of(data)?;
    let (manifest, _) = super::listed(set, site).ok()?;
    Some(manifest.check_scored(set.splits).err()?.to_string())
}

/// The name of the data set of files that is meant; `None` for rendered clips.
pub fn files_of(data: &Data) -> Option<&compiler::hir::Files> {
    match data {
        Data::Synthetic(_) => None,
        Data::Videos(files) | Data::Sounds(files) => Some(files),
    }
}

/// The first few counts in a line.
fn few(counts: &Counts) -> String {
    let shown = counts.iter().take(NAMED + 1);
    let shown: Vec<String> = shown
        .map(|(what, count)| format!("{what}: {count}"))
        .collect();
    let more = counts.len().saturating_sub(shown.len());
    let more = if more > 0 {
        format!(", {more} others")
    } else {
        String::new()
    };
    shown.join(", ") + &more
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} clips, ", self.name, self.clips)?;
        match &self.quality {
            Some(quality) => writeln!(f, "packed: {quality}")?,
            None => writeln!(f, "layout `{}`", self.layout)?,
        }
        for note in &self.notes {
            writeln!(f, "  note        {note}")?;
        }
        if !self.unreadable.is_empty() {
            let causes: Counts = self
                .unreadable
                .iter()
                .map(|(cause, count)| (cause.clone(), *count))
                .collect();
            writeln!(f, "  unreadable  {}", few(&causes))?;
        }
        let streams = [
            ("pictures", &self.pictures, "fps"),
            ("sound", &self.sound, "Hz"),
        ];
        for (name, stream, unit) in streams {
            if stream.files == 0 {
                writeln!(f, "  {name:<10}  none")?;
                continue;
            }
            writeln!(
                f,
                "  {name:<10}  {} files, {:.2} h",
                stream.files, stream.hours
            )?;
            let lengths: Vec<String> = stream
                .lengths
                .iter()
                .map(|(length, count)| format!("{length}: {count}"))
                .collect();
            writeln!(f, "    length    {}", lengths.join(", "))?;
            writeln!(
                f,
                "    coded     {}; {}",
                few(&stream.codecs),
                few(&stream.shapes)
            )?;
            let rates: Counts = stream
                .rates
                .iter()
                .map(|(rate, count)| (format!("{rate} {unit}"), *count))
                .collect();
            writeln!(f, "    rates     {}", few(&rates))?;
        }
        for (number, [trained, tested, fewest, most]) in (1..).zip(&self.splits) {
            write!(f, "  split {number:<4}  {trained} train, {tested} test")?;
            if self.classes > 0 {
                write!(
                    f,
                    "; {} classes with {fewest} to {most} to train on",
                    self.classes
                )?;
            }
            writeln!(f)?;
        }
        if self.splits.is_empty() && self.classes > 0 {
            writeln!(f, "  classes     {}", self.classes)?;
        }
        Ok(())
    }
}

impl fmt::Display for Usable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} of {} clips of `{}`",
            self.stage, self.used, self.clips, self.data
        )?;
        let out: Vec<String> = self
            .left_out
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        if self.filled > 0 {
            write!(f, ", {} of them shorter than the windows", self.filled)?;
        }
        if !out.is_empty() {
            write!(f, "; left out: {}", out.join(", "))?;
        }
        if let Some(refused) = &self.refused {
            write!(f, "\n  a run refuses it: {refused}")?;
        }
        writeln!(f)
    }
}
