//! Class folders: `class/file`, or `train/class/file` and `test/class/file`; without classes, files anywhere below the root.

use super::is_media;
use super::listing::{Ask, Listing, tree};
use crate::error::{Error, Result};
use std::path::Path;

/// Lists the folders. A media file that lies elsewhere is an error, not left out.
///
/// # Errors
/// As [`super::Manifest::read`].
pub fn list(ask: &Ask) -> Result<Listing> {
    let root = &ask.root.root;
    let mut listing = Listing {
        source: format!("the folders of `{}`", root.display()),
        ..Listing::default()
    };
    if is_plain(ask)? {
        let tree = tree(ask, root)?;
        for file in tree.files {
            let fold = match file.split('/').next() {
                Some("train") => Some(0),
                Some("test") => Some(1),
                _ => None,
            };
            listing.add(file, None, fold);
        }
        listing.depends = tree.folders;
        return Ok(listing);
    }
    listing.depends.push(root.clone());
    let folders = children(root, true)?;
    let (splits, others): (Vec<&String>, Vec<&String>) = folders
        .iter()
        .partition(|name| *name == "train" || *name == "test");
    check_no_media(ask, root, "in a folder of its class")?;
    if splits.is_empty() {
        class_folders(ask, "", None, &mut listing)?;
        return Ok(listing);
    }
    for name in others {
        let below = root.join(name);
        let mut levels = vec![below.clone()];
        levels.extend(children(&below, true)?.iter().map(|name| below.join(name)));
        for level in levels {
            check_no_media(
                ask,
                &level,
                "below `train` or `test`, as others of this set do",
            )?;
            listing.depends.push(level);
        }
    }
    for name in splits {
        check_no_media(ask, &root.join(name), "in a folder of its class")?;
        let fold = Some(u32::from(name == "test"));
        class_folders(ask, &format!("{name}/"), fold, &mut listing)?;
    }
    Ok(listing)
}

/// Whether folders are no classes: none are asked for, or what is there does not lie as classes do and nobody says it should.
fn is_plain(ask: &Ask) -> Result<bool> {
    let root = &ask.root.root;
    Ok(match ask.classes {
        Some(classes) => classes == 0,
        None => {
            let tree = tree(ask, root)?;
            let has_splits = ["train", "test"]
                .iter()
                .any(|name| root.join(name).is_dir());
            let depth = if has_splits { 2 } else { 1 };
            tree.files
                .iter()
                .any(|file| file.matches('/').count() != depth)
        }
    })
}

/// Refuses a media file right in `folder`, which should lie at `place`.
fn check_no_media(ask: &Ask, folder: &Path, place: &str) -> Result<()> {
    match children(folder, false)?.iter().find(|name| is_media(name)) {
        None => Ok(()),
        Some(name) => Err(ask.refuse(
            format!("`{}` does not lie {place}", folder.join(name).display()),
            "move it there or away, or list the files of the set in a CSV",
        )),
    }
}

fn class_folders(ask: &Ask, below: &str, fold: Option<u32>, listing: &mut Listing) -> Result<()> {
    let at = ask.at(below);
    for class in children(&at, true)? {
        let folder = at.join(&class);
        for inner in children(&folder, true)? {
            let inner = folder.join(inner);
            check_no_media(ask, &inner, "right in the folder of its class")?;
            listing.depends.push(inner);
        }
        for name in children(&folder, false)? {
            if is_media(&name) {
                listing.add(format!("{below}{class}/{name}"), Some(&class), fold);
            }
        }
        listing.depends.push(folder);
    }
    listing.depends.push(at);
    Ok(())
}

/// Names of the folders or of the files in a folder, sorted; hidden ones left out.
fn children(folder: &Path, folders: bool) -> Result<Vec<String>> {
    let failed = Error::io("read", folder);
    let mut names = Vec::new();
    for child in std::fs::read_dir(folder).map_err(&failed)? {
        let child = child.map_err(&failed)?;
        let name = child.file_name().to_string_lossy().into_owned();
        // Only a link needs another question to the system, which counts for a set of many files.
        let kind = child.file_type().map_err(&failed)?;
        let is_folder = kind.is_dir() || kind.is_symlink() && child.path().is_dir();
        if !name.starts_with('.') && is_folder == folders {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
