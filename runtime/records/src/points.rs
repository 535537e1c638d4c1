//! Resume points: the state of a training between two of its steps, from which another process goes on with it.
//!
//! A point is one file in the folder of an attempt, `resume-<step>-<digest>.safetensors`. Its name carries the first digits of the
//! BLAKE3 hash of its bytes, so that a damaged one is known before it is used. The last two are kept: where the newest is
//! damaged, the one before it serves.

use crate::folder::write_whole;
use crate::{Error, Result};
use std::fs;
use std::path::{Path, PathBuf};

const PREFIX: &str = "resume-";
const SUFFIX: &str = ".safetensors";
/// Digits of the hash in a name.
const DIGITS: usize = 16;
/// Points that are kept of a training.
const KEPT: usize = 2;

/// A resume point that lies on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// Its file.
    pub path: PathBuf,
    /// Steps that were done before it.
    pub step: u64,
    /// The first digits of the hash that its bytes should have.
    digest: String,
}

impl Point {
    /// The point with this file name.
    fn of(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let middle = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
        let (step, digest) = middle.split_once('-')?;
        Some(Self {
            step: step.parse().ok()?,
            digest: digest.to_owned(),
            path,
        })
    }

    /// Its bytes, if they are those that were written.
    pub fn read(&self) -> Result<Vec<u8>> {
        let bytes = fs::read(&self.path).map_err(Error::io("read", &self.path))?;
        if digest(&bytes) == self.digest {
            return Ok(bytes);
        }
        Err(Error::Content {
            path: self.path.clone(),
            message: "damaged: its bytes are not those that were written".to_owned(),
            help:
                "remove the file: an older resume point is used then, or the training begins anew"
                    .to_owned(),
        })
    }
}

/// The resume points in a folder, the newest first. A folder that is not there has none.
pub fn points(folder: &Path) -> Result<Vec<Point>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
        Err(cause) => return Err(Error::io("read", folder)(cause)),
    };
    let mut found = vec![];
    for entry in entries {
        found.extend(Point::of(entry.map_err(Error::io("read", folder))?.path()));
    }
    found.sort_by(|a, b| b.step.cmp(&a.step).then_with(|| a.path.cmp(&b.path)));
    Ok(found)
}

/// Keeps `bytes` as the state after `step` steps: on the disk and read back before one of the older points goes.
pub fn keep(folder: &Path, step: u64, bytes: &[u8]) -> Result<()> {
    let name = format!("{PREFIX}{step:09}-{}{SUFFIX}", digest(bytes));
    write_whole(&folder.join(name), bytes)?;
    for old in points(folder)?.into_iter().skip(KEPT) {
        remove(&old)?;
    }
    Ok(())
}

/// Removes all resume points in a folder: what they led to is finished.
pub fn clear(folder: &Path) -> Result<()> {
    points(folder)?.iter().try_for_each(remove)
}

/// Removes one.
pub fn remove(point: &Point) -> Result<()> {
    fs::remove_file(&point.path).map_err(Error::io("remove", &point.path))
}

fn digest(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..DIGITS].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(folder: &Path) -> Vec<u64> {
        let found = points(folder).unwrap();
        found.iter().map(|point| point.step).collect()
    }

    #[test]
    fn the_last_two_are_kept_and_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert!(points(&folder.join("none")).unwrap().is_empty());
        for step in [9, 10, 2_000_000_000] {
            keep(folder, step, format!("state {step}").as_bytes()).unwrap();
        }
        fs::write(folder.join("resume-3.safetensors"), "of another name").unwrap();
        assert_eq!(steps(folder), [2_000_000_000, 10]);
        let newest = &points(folder).unwrap()[0];
        assert_eq!(newest.read().unwrap(), b"state 2000000000");
        // The same state again is the same file.
        keep(folder, 10, b"state 10").unwrap();
        assert_eq!(steps(folder), [2_000_000_000, 10]);
        clear(folder).unwrap();
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_one_is_known() {
        let folder = tempfile::tempdir().unwrap();
        keep(folder.path(), 5, b"state").unwrap();
        let point = points(folder.path()).unwrap().remove(0);
        for damaged in [&b"statf"[..], b"stat", b""] {
            fs::write(&point.path, damaged).unwrap();
            let error = point.read().unwrap_err();
            assert!(error.to_string().contains("resume-000000005-"), "{error}");
            assert!(error.to_string().contains("damaged"), "{error}");
        }
    }
}
