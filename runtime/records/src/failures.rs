//! Why stages failed the last time they were tried, beside the run folders, until they are finished: `failures/STAGE.txt`.
//!
//! They serve people who read a report later. What cannot be written or read is left out.

use crate::folder::Runs;
use compiler::plan::StageId;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// The folder's name among the run folders.
const FOLDER: &str = "failures";

fn path(runs: &Runs, id: &StageId) -> PathBuf {
    runs.dir().join(FOLDER).join(format!("{}.txt", id.0))
}

/// Keeps why the stage `id` failed.
pub fn keep(runs: &Runs, id: &StageId, reason: &str) {
    let path = path(runs, id);
    let folder = path.parent().map(fs::create_dir_all);
    if let Some(Ok(())) = folder {
        let _ = fs::write(path, reason);
    }
}

/// Forgets it, for the stage is finished.
pub fn forget(runs: &Runs, id: &StageId) {
    let _ = fs::remove_file(path(runs, id));
}

/// All that is kept.
pub fn all(runs: &Runs) -> BTreeMap<StageId, String> {
    let files = fs::read_dir(runs.dir().join(FOLDER));
    let read = files.into_iter().flatten().flatten().filter_map(|file| {
        let id = StageId(file.path().file_stem()?.to_str()?.to_owned());
        Some((id, fs::read_to_string(file.path()).ok()?))
    });
    read.collect()
}
