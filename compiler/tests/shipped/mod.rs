//! The experiments that ship with the project, as tests read them.

use std::path::{Path, PathBuf};

/// Their folder.
pub fn experiments() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../experiments")
}

/// The file that `from` uses as `path`, both named from [`experiments`]: its name from there, and its text.
pub fn used(from: &str, path: &str) -> Option<(String, String)> {
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let file = Path::new(folder).join(path);
    let text = std::fs::read_to_string(experiments().join(&file)).ok()?;
    Some((file.display().to_string(), text))
}
