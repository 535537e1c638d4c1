//! Files of which `data check` found that nothing decodes. They count as unreadable at once, until they change.

use super::known::Columns;
use super::place::{self, Place};
use crate::data::manifest::Manifest;
use crate::data::manifest::rows::State;
use crate::error::{Error, Result};
use records::folder::write_whole;
use records::site::Site;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

#[derive(Serialize, Deserialize)]
struct Bad {
    /// Below the root.
    file: PathBuf,
    bytes: u64,
    changed: u64,
    cause: String,
}

/// Remembers the files of the data set `name` that nothing can be decoded of, and why; those of an earlier check are forgotten.
/// Whether they are remembered: without a cache folder nothing is kept.
///
/// # Errors
/// [`Error::Io`] or [`Error::Records`] where it cannot be written to the folder that the site file names, or there is no such set.
pub fn quarantine(site: &Site, name: &str, bad: &[(PathBuf, String)]) -> Result<bool> {
    let root = site.root(name)?;
    let mut place = Place::of(site, root);
    let Some(path) = place.as_ref().map(|place| place.quarantine(name)) else {
        return Ok(false);
    };
    if bad.is_empty() && !path.exists() {
        return Ok(true);
    }
    let state = |file: &Path| std::fs::metadata(file).ok().map(|of| State::of(&of));
    let list: Vec<Bad> = bad
        .iter()
        .filter_map(|(file, cause)| {
            let State { bytes, changed } = state(file)?;
            let file = file.strip_prefix(&root.root).unwrap_or(file);
            Some(Bad {
                file: file.to_owned(),
                bytes,
                changed,
                cause: cause.clone(),
            })
        })
        .collect();
    let text = serde_json::to_vec_pretty(&list).expect("a list is plain data");
    let kept = place::keep(&mut place, || {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        Ok(write_whole(&path, &text)?)
    })?;
    Ok(kept.is_some())
}

/// Marks the files that are in quarantine and have not changed since.
pub(super) fn apply(manifest: &Manifest, columns: &mut Columns, path: &Path) {
    let text = std::fs::read(path).ok();
    // A list that cannot be read holds nobody back: the files fail when they are read.
    let list: Vec<Bad> = text
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default();
    for bad in list {
        let state = State {
            bytes: bad.bytes,
            changed: bad.changed,
        };
        let file = bad.file.to_str();
        let row = file.and_then(|file| manifest.rows.find(file));
        if let Some(row) = row.filter(|row| manifest.rows.state(*row) == state) {
            columns.quarantine(row, &bad.cause);
        }
    }
}
