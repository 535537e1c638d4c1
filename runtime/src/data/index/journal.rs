//! What was found in files before the index could be written: one JSON object per line, so that an interrupt loses nothing.
//!
//! A line that cannot be read, such as the last of a process that was ended, is ignored.

use super::known::{Coded, Columns};
use super::look::Looked;
use crate::data::manifest::Manifest;
use crate::data::manifest::rows::State;
use crate::data::source::{Limits, Streams};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Time after which lines are on the disk.
const EVERY: Duration = Duration::from_secs(1);

#[derive(Serialize, Deserialize)]
struct Line {
    file: String,
    bytes: u64,
    changed: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    video: Option<(f64, f64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audio: Option<(f64, f64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    coded: (String, u16, u16, f32, String, u32, u16),
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    scan: Vec<u8>,
}

/// A journal to which lines are added.
pub(super) struct Journal {
    file: BufWriter<File>,
    path: PathBuf,
    flushed: Instant,
}

impl Journal {
    /// Goes on with the journal at `path`.
    pub fn open(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        let mut options = File::options();
        let file = options.create(true).append(true).open(path);
        let file = file.map_err(Error::io("write", path))?;
        Ok(Self {
            file: BufWriter::new(file),
            path: path.to_owned(),
            flushed: Instant::now(),
        })
    }

    /// Adds what was found in a file.
    pub fn add(&mut self, file: &str, state: State, looked: &Looked) -> Result<()> {
        let pair = |limits: Limits| (limits.start, limits.end);
        let Looked { known, coded, scan } = looked;
        let streams = known.as_ref().ok();
        let coded = coded.clone();
        let line = Line {
            file: file.to_owned(),
            bytes: state.bytes,
            changed: state.changed,
            video: streams.and_then(|streams| streams.video).map(pair),
            audio: streams.and_then(|streams| streams.audio).map(pair),
            error: known.as_ref().err().cloned(),
            coded: (
                coded.video,
                coded.width,
                coded.height,
                coded.fps,
                coded.audio,
                coded.rate,
                coded.channels,
            ),
            scan: scan.clone(),
        };
        let mut text = serde_json::to_vec(&line).expect("a line is plain data");
        text.push(b'\n');
        let mut written = self.file.write_all(&text);
        if self.flushed.elapsed() > EVERY {
            written = written.and_then(|()| self.file.flush());
            self.flushed = Instant::now();
        }
        written.map_err(Error::io("write", &self.path))
    }
}

/// Takes over what the journal at `path` knows of files that are as they were.
pub(super) fn replay(path: &Path, manifest: &Manifest, columns: &mut Columns) {
    let Ok(file) = File::open(path) else { return };
    for text in BufReader::new(file)
        .split(b'\n')
        .map_while(std::io::Result::ok)
    {
        let Ok(line) = serde_json::from_slice::<Line>(&text) else {
            continue;
        };
        let state = State {
            bytes: line.bytes,
            changed: line.changed,
        };
        let row = manifest.rows.find(&line.file);
        let Some(row) = row.filter(|row| manifest.rows.state(*row) == state) else {
            continue;
        };
        let limits = |(start, end)| Limits { start, end };
        let known = match line.error {
            Some(cause) => Err(cause),
            None => Ok(Streams {
                video: line.video.map(limits),
                audio: line.audio.map(limits),
            }),
        };
        let (video, width, height, fps, audio, rate, channels) = line.coded;
        let coded = Coded {
            video,
            width,
            height,
            fps,
            audio,
            rate,
            channels,
        };
        columns.note(row, &known, &coded);
        if !line.scan.is_empty() {
            columns.scans.put(row, line.scan);
        }
    }
}

/// Removes the journal of a data set whose index is written.
pub(super) fn remove(path: &Path) {
    // One that stays is taken over once more and changes nothing.
    let _ = std::fs::remove_file(path);
}
