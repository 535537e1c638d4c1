//! Files of which `data check` found that nothing decodes. They count as unreadable at once, until they change.

use super::known::Columns;
use super::plain;
use crate::data::manifest::Manifest;
use crate::data::manifest::rows::State;
use crate::error::{Error, Result};
use records::folder::write_whole;
use records::site::Site;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

#[derive(Serialize, Deserialize)]
struct Bad {
    file: PathBuf,
    bytes: u64,
    changed: u64,
    cause: String,
}

fn path_of(site: &Site, name: &str) -> Option<PathBuf> {
    let name = format!("quarantine-{}.json", plain(name));
    site.cache.as_deref().map(|cache| cache.join(name))
}

/// Remembers the files of the data set `name` that nothing can be decoded of, and why; those of an earlier check are forgotten.
/// Without a cache folder nothing is kept.
///
/// # Errors
/// [`Error::Io`] or [`Error::Records`] where it cannot be written.
pub fn quarantine(site: &Site, name: &str, bad: &[(PathBuf, String)]) -> Result<()> {
    let Some(path) = path_of(site, name) else {
        return Ok(());
    };
    if bad.is_empty() && !path.exists() {
        return Ok(());
    }
    let state = |file: &Path| std::fs::metadata(file).ok().map(|of| State::of(&of));
    let list: Vec<Bad> = bad
        .iter()
        .filter_map(|(file, cause)| {
            let State { bytes, changed } = state(file)?;
            let (file, cause) = (file.clone(), cause.clone());
            Some(Bad {
                file,
                bytes,
                changed,
                cause,
            })
        })
        .collect();
    let text = serde_json::to_vec_pretty(&list).expect("a list is plain data");
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    Ok(write_whole(&path, &text)?)
}

/// Marks the files that are in quarantine and have not changed since.
pub(super) fn apply(manifest: &Manifest, columns: &mut Columns, site: &Site) {
    let text = path_of(site, &manifest.name).and_then(|path| std::fs::read(path).ok());
    // A list that cannot be read holds nobody back: the files fail when they are read.
    let list: Vec<Bad> = text
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default();
    for bad in list {
        let Ok(file) = bad.file.strip_prefix(&manifest.root) else {
            continue;
        };
        let state = State {
            bytes: bad.bytes,
            changed: bad.changed,
        };
        let row = file.to_str().and_then(|file| manifest.rows.find(file));
        if let Some(row) = row.filter(|row| manifest.rows.state(*row) == state) {
            columns.quarantine(row, &bad.cause);
        }
    }
}
