//! `predictions.csv`: what a score came to for each test sample, beside its `result.json`.
//!
//! | column | meaning |
//! | --- | --- |
//! | `split` | the fold or split, as `result.json` names it |
//! | `sample` | the file, as the data set names it |
//! | `class` | its class |
//! | `predicted` | the class of the highest score; of a retrieval, that of the nearest training sample |
//! | `rank` | the place of `class` in the order of the scores, from 1; of a retrieval, that of the nearest training sample of that class |
//!
//! So the share of ranks up to 1 is top-1, up to 5 top-5, and up to k the recall R@k of a retrieval.

use crate::record::FoldResult;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::Path;

/// The file's name in the folder of a run.
pub const PREDICTIONS: &str = "predictions.csv";

/// Its first line.
const NAMES: [&str; 5] = ["split", "sample", "class", "predicted", "rank"];

/// One line of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prediction {
    /// The fold or split.
    pub split: String,
    /// The test sample.
    pub sample: String,
    /// Its class.
    pub class: String,
    /// The class that was found.
    pub predicted: String,
    /// The place of its class among those that were found, from 1.
    pub rank: u64,
}

impl Prediction {
    /// Whether its class is among the first `k`.
    pub fn is_within(&self, k: u32) -> bool {
        self.rank <= u64::from(k)
    }
}

/// Writes the file, and has it on the disk.
///
/// # Errors
/// A file that cannot be written.
pub fn write(path: &Path, predictions: &[Prediction]) -> Result<()> {
    let mut file = csv::Writer::from_path(path).map_err(|cause| failed("create", path, cause))?;
    for prediction in predictions {
        file.serialize(prediction)
            .map_err(|cause| failed("write", path, cause))?;
    }
    let file = file
        .into_inner()
        .map_err(|cause| Error::io("write", path)(cause.into_error()))?;
    File::sync_all(&file).map_err(Error::io("write", path))
}

/// Reads the file.
///
/// # Errors
/// A file that cannot be read, or a line that is none of these, with its number.
pub fn read(path: &Path) -> Result<Vec<Prediction>> {
    let mut file = csv::Reader::from_path(path).map_err(|cause| failed("read", path, cause))?;
    let names = file
        .headers()
        .map_err(|cause| failed("read", path, cause))?;
    if names != NAMES.as_slice() {
        let message = format!("its first line is not `{}`", NAMES.join(","));
        return Err(damaged(path, message));
    }
    let lines = file.deserialize();
    lines
        .map(|line| line.map_err(|cause| failed("read", path, cause)))
        .collect()
}

#[allow(clippy::wildcard_enum_match_arm)] // the kinds are not ours and grow
fn failed(action: &'static str, path: &Path, cause: csv::Error) -> Error {
    let message = cause.to_string();
    match cause.into_kind() {
        csv::ErrorKind::Io(cause) => Error::io(action, path)(cause),
        _ => damaged(path, message),
    }
}

/// Checks that there is a line for each sample that these folds were scored on.
///
/// # Errors
/// There are more or fewer.
pub fn check(path: &Path, predictions: &[Prediction], folds: &[FoldResult]) -> Result<()> {
    let scored: u64 = folds.iter().map(|fold| fold.test).sum();
    let lines = predictions.len() as u64;
    match lines == scored {
        true => Ok(()),
        false => Err(damaged(
            path,
            format!("{lines} samples stand in it, and result.json counts {scored}"),
        )),
    }
}

fn damaged(path: &Path, message: String) -> Error {
    Error::Content {
        path: path.to_owned(),
        message,
        help: "it is damaged: remove the folder that it lies in, and run the experiment again"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prediction(sample: &str, rank: u64) -> Prediction {
        Prediction {
            split: "1".to_owned(),
            sample: sample.to_owned(),
            class: "dog, \"old\"".to_owned(),
            predicted: "cat".to_owned(),
            rank,
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(PREDICTIONS);
        let all = [prediction("a/b c.mp4", 2), prediction("ü.wav", 6)];
        write(&path, &all).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("split,sample,class,predicted,rank\n"),
            "{text}"
        );
        assert_eq!(read(&path).unwrap(), all);
        assert!(all[0].is_within(5) && !all[1].is_within(5));
    }

    #[test]
    fn a_line_that_says_something_else_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(PREDICTIONS);
        std::fs::write(&path, "split,sample,class,predicted,rank\n1,a,b,c,first\n").unwrap();
        let message = read(&path).unwrap_err().to_string();
        assert!(message.contains("line: 2"), "{message}");
        std::fs::write(&path, "garbage\n").unwrap();
        let message = read(&path).unwrap_err().to_string();
        assert!(message.contains("its first line is not"), "{message}");
        let missing = read(&folder.path().join("none.csv")).unwrap_err();
        assert!(missing.to_string().starts_with("cannot read"), "{missing}");
    }
}
