//! Where what is known of a data set is kept: a folder for each root, so that two sets never meet, whatever they are called.

use super::Wanted;
use crate::error::{Error, Result};
use records::say;
use records::site::{DataRoot, Site};
use std::path::{Path, PathBuf};

/// Letters of a hash in names.
const LETTERS: usize = 16;

/// The folder of a root in the cache.
#[derive(Debug)]
pub(super) struct Place {
    folder: PathBuf,
    /// Whether the site file names the cache: then it is a mistake where that cannot be written.
    is_chosen: bool,
}

impl Place {
    /// The place of a root; `None` where there is no cache.
    pub fn of(site: &Site, root: &DataRoot) -> Option<Self> {
        Some(Self {
            folder: site.cache()?.join(folder_name(&root.root)),
            is_chosen: site.cache.is_some(),
        })
    }

    /// The index of what is wanted.
    pub fn index(&self, wanted: &Wanted, root: &DataRoot) -> PathBuf {
        let name = format!("index-{}-{}.bin", plain(wanted.name()), key(wanted, root));
        self.folder.join(name)
    }

    /// All indexes that lie there.
    pub fn indexes(&self) -> impl Iterator<Item = PathBuf> {
        // A folder that is not there holds none.
        let children = std::fs::read_dir(&self.folder).into_iter().flatten();
        let paths = children.flatten().map(|child| child.path());
        paths.filter(|path| path.extension().is_some_and(|end| end == "bin"))
    }

    /// What was found in files of the set `name` before its index was written.
    #[cfg(feature = "media")]
    pub fn journal(&self, name: &str) -> PathBuf {
        self.folder.join(format!("index-{}.part", plain(name)))
    }

    /// The files of the set `name` of which nothing decodes.
    pub fn quarantine(&self, name: &str) -> PathBuf {
        self.folder.join(format!("quarantine-{}.json", plain(name)))
    }

    /// What becomes of a failure to write there: in the user's own cache a note.
    fn forgive(&self, error: Error) -> Result<()> {
        if self.is_chosen {
            return Err(error);
        }
        say(&not_kept(&error.to_string()));
        Ok(())
    }
}

/// Says so where there is no place to keep anything.
#[cfg(feature = "media")]
pub(super) fn warn(place: Option<&Place>) {
    if place.is_none() {
        say(&not_kept("this user has no home folder"));
    }
}

fn not_kept(why: &str) -> String {
    format!(
        "note: the index is not kept, so that the next command opens these files again: {why}; name a folder for it in \
         `crisscross.toml`, above its tables: `cache = \"...\"`"
    )
}

/// Does something that writes to the place. Where the user's own cache cannot be written, that is said, and there is no place any more.
///
/// # Errors
/// The failure, where the site file names the cache.
pub(super) fn keep<T>(
    place: &mut Option<Place>,
    write: impl FnOnce() -> Result<T>,
) -> Result<Option<T>> {
    let Some(here) = place.as_ref() else {
        return Ok(None);
    };
    match write() {
        Ok(done) => Ok(Some(done)),
        Err(error) => {
            here.forgive(error)?;
            *place = None;
            Ok(None)
        }
    }
}

/// The folder of a root: its own name for people, and a hash of where it lies.
fn folder_name(root: &Path) -> String {
    let real = std::fs::canonicalize(root)
        .or_else(|_| std::path::absolute(root))
        .unwrap_or_else(|_| root.to_owned());
    let name = real
        .file_name()
        .map_or(String::new(), |name| plain(&name.to_string_lossy()) + "-");
    let hash = blake3::hash(real.as_os_str().as_encoded_bytes()).to_hex();
    format!("{name}{}", &hash[..LETTERS])
}

/// A short name for what a listing depends on beside the files.
fn key(wanted: &Wanted, root: &DataRoot) -> String {
    let asked = match wanted {
        Wanted::Declared(files) => {
            let label = (files.classes > 0).then_some(&files.label);
            Some((files.classes, files.splits, label))
        }
        Wanted::Found(_) => None,
    };
    let of = (wanted.name(), &root.csv, root.layout, &root.lists, asked);
    let of = serde_json::to_vec(&of).expect("declarations are plain data");
    blake3::hash(&of).to_hex()[..LETTERS].to_owned()
}

/// The name with what a file name should not hold replaced, and no longer than a file name may be.
fn plain(name: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let plain = name.chars().map(|c| if keep(c) { c } else { '_' });
    plain.take(64).collect()
}
