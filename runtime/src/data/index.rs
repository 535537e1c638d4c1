//! When the streams of each file begin and end: found once by opening it, then kept in the cache folder.
//!
//! One JSON object per line, known by name, size and time of change: a file that changed is opened again, lines of other
//! files are kept, a line that cannot be read is ignored. The index is a cache: nothing depends on its being there.

use super::admission::cause;
use super::decode;
use super::manifest::Manifest;
use super::manifest::rows::State;
use super::ordered::Ordered;
use super::source::{Limits, Streams};
use crate::error::{Error, Result};
use records::folder::write_whole;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is known of one file: its streams, or why it cannot be opened.
pub type Known = std::result::Result<Streams, String>;

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
}

impl Line {
    fn new(file: &str, state: State, known: &Known) -> Self {
        let pair = |limits: Limits| (limits.start, limits.end);
        let streams = known.as_ref().ok();
        Self {
            file: file.to_owned(),
            bytes: state.bytes,
            changed: state.changed,
            video: streams.and_then(|streams| streams.video).map(pair),
            audio: streams.and_then(|streams| streams.audio).map(pair),
            error: known.as_ref().err().cloned(),
        }
    }

    fn known(&self) -> Known {
        let limits = |(start, end)| Limits { start, end };
        match &self.error {
            Some(cause) => Err(cause.clone()),
            None => Ok(Streams {
                video: self.video.map(limits),
                audio: self.audio.map(limits),
            }),
        }
    }
}

/// The streams of all files, in their order. New files are opened on `threads` threads, and the index in `cache` is
/// brought up to date; without a cache folder nothing is kept.
///
/// # Errors
/// [`Error::Io`] where the index cannot be written.
pub fn streams(manifest: &Manifest, cache: Option<&Path>, threads: usize) -> Result<Vec<Known>> {
    let path = cache.map(|cache| cache.join(format!("index-{}.jsonl", plain(&manifest.name))));
    let mut lines = path.as_deref().map_or_else(BTreeMap::new, load);
    let is_fresh = |row: usize, lines: &BTreeMap<String, Line>| {
        let State { bytes, changed } = manifest.rows.state(row);
        lines
            .get(manifest.file(row))
            .is_some_and(|line| (line.bytes, line.changed) == (bytes, changed))
    };
    let new: Vec<usize> = (0..manifest.len())
        .filter(|row| !is_fresh(*row, &lines))
        .collect();
    if !new.is_empty() {
        let paths: Vec<PathBuf> = new.iter().map(|row| manifest.path(*row)).collect();
        let look = move |at: u64| decode::streams(&paths[at as usize]).map_err(cause);
        for (&row, known) in new.iter().zip(Ordered::new(
            0..new.len() as u64,
            threads,
            4 * threads,
            look,
        )) {
            let (file, state) = (manifest.file(row), manifest.rows.state(row));
            lines.insert(file.to_owned(), Line::new(file, state, &known));
        }
        if let Some(path) = &path {
            store(path, &lines)?;
        }
    }
    Ok((0..manifest.len())
        .map(|row| lines[manifest.file(row)].known())
        .collect())
}

fn load(path: &Path) -> BTreeMap<String, Line> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Line>(line).ok());
    lines.map(|line| (line.file.clone(), line)).collect()
}

fn store(path: &Path, lines: &BTreeMap<String, Line>) -> Result<()> {
    let failed = |cause| Error::Io {
        action: "write",
        path: path.to_owned(),
        cause,
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut text = String::new();
    for line in lines.values() {
        text += &serde_json::to_string(line).map_err(|cause| failed(cause.into()))?;
        text.push('\n');
    }
    // Another run may read the index meanwhile: it changes all at once.
    Ok(write_whole(path, text.as_bytes())?)
}

/// The name with what a file name should not hold replaced.
fn plain(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        })
        .collect()
}
