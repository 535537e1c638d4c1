//! What is known of each file of a data set, in flat columns: when its streams begin and end, how they are coded, or what is wrong.

use super::scans::Scans;
use crate::data::source::{Limits, Streams};
use std::collections::BTreeMap;

/// What is known of one file: its streams, or why it cannot be opened.
pub type Known = Result<Streams, String>;

/// How the streams of a file are coded, as its headers say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coded {
    /// FFmpeg's name of the codec of the pictures; empty where there are none.
    pub video: String,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// Frames per second.
    pub fps: f32,
    /// FFmpeg's name of the codec of the sound; empty where there is none.
    pub audio: String,
    /// Samples per second.
    pub rate: u32,
    /// Channels.
    pub channels: u16,
}

/// Whether a file was looked at, and how.
pub(super) const UNSEEN: u8 = 0;
/// Its headers were read.
pub(super) const OPENED: u8 = 1;
/// It cannot be opened.
pub(super) const BAD: u8 = 2;
/// `data check` found that nothing of it decodes.
pub(super) const QUARANTINED: u8 = 3;

/// The columns, a row for each file of a manifest.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    pub(super) seen: Vec<u8>,
    /// Start and end of the pictures, then of the sound; NaN where there is no such stream.
    pub(super) limits: [Vec<f64>; 4],
    /// Positions in `words`: codec of the pictures, codec of the sound, cause.
    pub(super) codecs: [Vec<u16>; 2],
    pub(super) causes: Vec<u32>,
    pub(super) sizes: [Vec<u16>; 2],
    pub(super) fps: Vec<f32>,
    pub(super) rates: Vec<u32>,
    pub(super) channels: Vec<u16>,
    /// Names of codecs, and causes of failures, each once.
    pub(super) words: Vec<String>,
    pub(super) known_words: BTreeMap<String, u32>,
    /// What the packets say of each file.
    pub(super) scans: Scans,
}

impl Columns {
    /// So many files of which nothing is known.
    pub fn unseen(rows: usize) -> Self {
        let mut columns = Self {
            seen: vec![UNSEEN; rows],
            limits: [(); 4].map(|()| vec![f64::NAN; rows]),
            codecs: [(); 2].map(|()| vec![0; rows]),
            causes: vec![0; rows],
            sizes: [(); 2].map(|()| vec![0; rows]),
            fps: vec![0.0; rows],
            rates: vec![0; rows],
            channels: vec![0; rows],
            ..Self::default()
        };
        columns.word("");
        columns
    }

    fn word(&mut self, word: &str) -> u32 {
        if let Some(&known) = self.known_words.get(word) {
            return known;
        }
        let new = self.words.len() as u32;
        self.words.push(word.to_owned());
        self.known_words.insert(word.to_owned(), new);
        new
    }

    /// Whether the file was looked at.
    pub fn is_seen(&self, row: usize) -> bool {
        self.seen[row] != UNSEEN
    }

    /// Whether `data check` put the file into quarantine.
    pub fn is_quarantined(&self, row: usize) -> bool {
        self.seen[row] == QUARANTINED
    }

    /// Number of files that were not looked at.
    pub fn unseen_rows(&self) -> usize {
        self.seen.iter().filter(|seen| **seen == UNSEEN).count()
    }

    /// Notes what was found in a file.
    pub fn note(&mut self, row: usize, known: &Known, coded: &Coded) {
        let streams = match known {
            Ok(streams) => {
                self.seen[row] = OPENED;
                *streams
            }
            Err(cause) => {
                self.seen[row] = BAD;
                self.causes[row] = self.word(cause);
                Streams::default()
            }
        };
        let ends = |limits: Option<Limits>| {
            limits.map_or([f64::NAN; 2], |limits| [limits.start, limits.end])
        };
        let [from, to] = ends(streams.video);
        let [first, last] = ends(streams.audio);
        for (column, value) in self.limits.iter_mut().zip([from, to, first, last]) {
            column[row] = value;
        }
        // There are far fewer codecs than fit; a name that does not is left out.
        let codecs =
            [&coded.video, &coded.audio].map(|name| u16::try_from(self.word(name)).unwrap_or(0));
        for (column, word) in self.codecs.iter_mut().zip(codecs) {
            column[row] = word;
        }
        for (column, size) in self.sizes.iter_mut().zip([coded.width, coded.height]) {
            column[row] = size;
        }
        self.fps[row] = coded.fps;
        self.rates[row] = coded.rate;
        self.channels[row] = coded.channels;
    }

    /// Puts a file into quarantine.
    pub fn quarantine(&mut self, row: usize, cause: &str) {
        self.seen[row] = QUARANTINED;
        self.causes[row] = self.word(cause);
    }

    /// Takes over what another index knows of a file.
    pub fn copy(&mut self, row: usize, from: &Self, at: usize) {
        let known = from.known(at);
        self.note(row, &known, &from.coded(at));
        if let Some(scan) = from.scan(at) {
            self.scans.put(row, scan);
        }
        if from.is_quarantined(at)
            && let Err(cause) = &known
        {
            self.quarantine(row, cause);
        }
    }

    /// The streams of a file, or why it cannot be opened; of a file that was not looked at that.
    pub fn known(&self, row: usize) -> Known {
        match self.seen[row] {
            OPENED => Ok(self.streams(row)),
            UNSEEN => Err("it is not in the index".to_owned()),
            _ => Err(self
                .words
                .get(self.causes[row] as usize)
                .cloned()
                .unwrap_or_default()),
        }
    }

    fn streams(&self, row: usize) -> Streams {
        let limits = |start: f64, end: f64| (!start.is_nan()).then_some(Limits { start, end });
        let [from, to, first, last] = [0, 1, 2, 3].map(|at: usize| self.limits[at][row]);
        Streams {
            video: limits(from, to),
            audio: limits(first, last),
        }
    }

    /// What the packets of a file say, as [`super::scans`] keeps it; `None` where that is not known.
    pub fn scan(&self, row: usize) -> Option<Vec<u8>> {
        self.scans.get(row)
    }

    /// How the streams of a file are coded.
    pub fn coded(&self, row: usize) -> Coded {
        let word = |at: u16| self.words.get(usize::from(at)).cloned().unwrap_or_default();
        Coded {
            video: word(self.codecs[0][row]),
            width: self.sizes[0][row],
            height: self.sizes[1][row],
            fps: self.fps[row],
            audio: word(self.codecs[1][row]),
            rate: self.rates[row],
            channels: self.channels[row],
        }
    }

    /// Whether all columns have so many rows, and point at words that there are.
    pub(super) fn fits(&self, rows: usize) -> bool {
        let words = self.words.len();
        let are_long = [
            self.seen.len(),
            self.causes.len(),
            self.fps.len(),
            self.rates.len(),
            self.channels.len(),
        ]
        .into_iter()
        .chain(self.limits.iter().map(Vec::len))
        .chain(self.codecs.iter().map(Vec::len))
        .chain(self.sizes.iter().map(Vec::len))
        .all(|length| length == rows);
        are_long
            && self.causes.iter().all(|at| (*at as usize) < words)
            && self
                .codecs
                .iter()
                .flatten()
                .all(|at| usize::from(*at) < words)
    }
}
