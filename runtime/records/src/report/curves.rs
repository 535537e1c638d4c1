//! What a training has written of its steps so far, as points of curves. Long files are looked into at a few hundred places, so
//! that a report of a month of training is as quick as one of a minute.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// The most points of a curve.
const MOST: usize = 400;
/// Files up to this size are read whole.
const WHOLE: u64 = 1 << 20;
/// The end of a file in which its last line stands.
const TAIL: u64 = 1 << 16;

/// One step of a training. Numbers that were not finite are `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The step, from 0.
    pub step: u64,
    /// The objective before the step.
    pub loss: Option<f64>,
    /// Each term of it.
    #[serde(default)]
    pub terms: BTreeMap<String, Option<f64>>,
    /// The learning rate of each parameter group.
    #[serde(default)]
    pub rates: BTreeMap<String, Option<f64>>,
    /// The collapse meter of each modality.
    #[serde(default)]
    pub spread: BTreeMap<String, Option<f64>>,
}

/// Up to 400 steps of the training that writes `path`, evenly spread, the first and the last among them; none where nothing was
/// written.
///
/// # Errors
///
/// A file that is there and cannot be read. A line that is no step, such as one that is being written, is passed over.
pub(super) fn points(path: &Path) -> Result<Vec<Point>> {
    let Some((mut file, bytes)) = open(path)? else {
        return Ok(vec![]);
    };
    let failed = |cause| Error::io("read", path)(cause);
    let mut points = vec![];
    if bytes <= WHOLE {
        let mut text = vec![];
        file.read_to_end(&mut text).map_err(failed)?;
        points = text
            .split(|byte| *byte == b'\n')
            .filter_map(point)
            .collect();
        thin(&mut points);
        return Ok(points);
    }
    let mut reader = BufReader::with_capacity(1 << 12, file);
    for at in 0..MOST as u64 {
        let place = bytes / MOST as u64 * at;
        reader.seek(SeekFrom::Start(place)).map_err(failed)?;
        let mut line = vec![];
        if at > 0 {
            // The rest of a line.
            reader.read_until(b'\n', &mut line).map_err(failed)?;
            line.clear();
        }
        reader.read_until(b'\n', &mut line).map_err(failed)?;
        points.extend(point(&line));
    }
    points.extend(last(reader.get_mut(), bytes).map_err(failed)?);
    points.dedup_by_key(|point| point.step);
    Ok(points)
}

/// Steps that the training which writes `path` has done; 0 where nothing was written.
///
/// # Errors
///
/// As [`points`].
pub(super) fn steps_done(path: &Path) -> Result<u64> {
    let Some((mut file, bytes)) = open(path)? else {
        return Ok(0);
    };
    let last = last(&mut file, bytes).map_err(Error::io("read", path))?;
    Ok(last.map_or(0, |point| point.step + 1))
}

/// The file and its size; `None` where it is not there, as before the first step, or when an attempt has just become a run.
fn open(path: &Path) -> Result<Option<(File, u64)>> {
    match File::open(path) {
        Ok(file) => {
            let bytes = file.metadata().map_err(Error::io("read", path))?.len();
            Ok(Some((file, bytes)))
        }
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(Error::io("read", path)(cause)),
    }
}

/// The last whole line that is a step.
fn last(file: &mut File, bytes: u64) -> std::io::Result<Option<Point>> {
    file.seek(SeekFrom::Start(bytes.saturating_sub(TAIL)))?;
    let mut text = vec![];
    file.read_to_end(&mut text)?;
    Ok(text.split(|byte| *byte == b'\n').rev().find_map(point))
}

fn point(line: &[u8]) -> Option<Point> {
    serde_json::from_slice(line).ok()
}

/// Leaves the first, the last, and evenly spread ones between them.
fn thin(points: &mut Vec<Point>) {
    let count = points.len();
    if count <= MOST {
        return;
    }
    let kept = (0..MOST).map(|at| at * (count - 1) / (MOST - 1));
    *points = kept.map(|at| points[at].clone()).collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(steps: u64, width: usize) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let pad = "x".repeat(width);
        let lines = (0..steps).map(|step| {
            format!("{{\"step\":{step},\"epoch\":0,\"loss\":{step}.5,\"terms\":{{\"intra\":null}},\"pad\":\"{pad}\"}}\n")
        });
        std::fs::write(&path, lines.collect::<String>()).unwrap();
        (folder, path)
    }

    #[test]
    fn short_files_are_read_whole_and_long_ones_here_and_there() {
        for (steps, width, count) in [(3, 0, 3), (400, 0, 400), (5000, 10, 400), (5000, 900, 401)] {
            let (_folder, path) = written(steps, width);
            let points = points(&path).unwrap();
            assert_eq!(points.len(), count, "{steps} steps of {width}");
            assert_eq!(points.first().map(|point| point.step), Some(0));
            assert_eq!(points.last().map(|point| point.step), Some(steps - 1));
            assert!(points.windows(2).all(|two| two[0].step < two[1].step));
            let gaps = points.windows(2).map(|two| two[1].step - two[0].step);
            assert!(gaps.max() <= Some(steps.div_ceil(count as u64) * 2));
            assert_eq!(points[2].loss, Some(points[2].step as f64 + 0.5));
            assert_eq!(points[2].terms["intra"], None);
            assert_eq!(steps_done(&path).unwrap(), steps);
        }
    }

    #[test]
    fn a_line_that_is_being_written_is_passed_over() {
        let (folder, path) = written(4, 0);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 9]).unwrap();
        assert_eq!(points(&path).unwrap().len(), 3);
        assert_eq!(steps_done(&path).unwrap(), 3);
        assert_eq!(points(&folder.path().join("none")).unwrap(), []);
        assert_eq!(steps_done(&folder.path().join("none")).unwrap(), 0);
    }
}
