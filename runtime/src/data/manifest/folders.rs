//! Class folders: `class/file`, or `train/class/file` and `test/class/file`; without classes, files anywhere below the root.
//!
//! Beside `train` alone, the clips of a folder `val` are the test clips; where there is a folder `test` too, they are left out.

use super::is_media;
use super::listing::{Ask, Listing, tree};
use super::splits::Named;
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
        plain(ask, &mut listing)?;
        return Ok(listing);
    }
    listing.depends.push(root.clone());
    let (mut splits, mut others) = (Vec::new(), Vec::new());
    for name in children(root, true)? {
        match split_folder(root, &name)? {
            Some(split) => splits.push((name, split)),
            None => others.push(name),
        }
    }
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
    let there: Vec<Named> = splits.iter().map(|(_, split)| *split).collect();
    let tested = Named::tested(&there);
    for (name, split) in splits {
        check_no_media(ask, &root.join(&name), "in a folder of its class")?;
        match split.fold(tested) {
            Some(fold) => class_folders(ask, &format!("{name}/"), Some(fold), &mut listing)?,
            None => {
                let unused = tree(ask, &root.join(&name))?;
                listing.leave_out(unused.files.len(), &name, "test");
                listing.depends.extend(unused.folders);
            }
        }
    }
    Ok(listing)
}

/// Lists the files wherever they lie. Folders are splits only where one of them is `train` or `test`.
fn plain(ask: &Ask, listing: &mut Listing) -> Result<()> {
    let tree = tree(ask, &ask.root.root)?;
    let split_of = |file: &str| {
        file.split_once('/')
            .and_then(|(folder, _)| Named::of(folder))
    };
    let mut there: Vec<Named> = tree
        .files
        .iter()
        .filter_map(|file| split_of(file))
        .collect();
    there.sort_unstable();
    there.dedup();
    if there.iter().all(|split| *split == Named::Validate) {
        there.clear();
    }
    let (tested, mut unused) = (Named::tested(&there), None);
    for file in tree.files {
        match split_of(&file).filter(|_| !there.is_empty()) {
            None => listing.add(file, None, None),
            Some(split) => match split.fold(tested) {
                Some(fold) => listing.add(file, None, Some(fold)),
                None => {
                    let folder = file.split('/').next().unwrap_or_default().to_owned();
                    unused.get_or_insert((0, folder)).0 += 1;
                }
            },
        }
    }
    if let Some((count, folder)) = unused {
        listing.leave_out(count, &folder, "test");
    }
    listing.depends = tree.folders;
    Ok(())
}

/// The split that a folder in the root is: `train` and `test` always, other names where class folders lie in it.
fn split_folder(root: &Path, name: &str) -> Result<Option<Named>> {
    let folder = root.join(name);
    Ok(match Named::of(name) {
        Some(split) if name == "train" || name == "test" => Some(split),
        Some(split) if !children(&folder, true)?.is_empty() => {
            let has_media = children(&folder, false)?.iter().any(|name| is_media(name));
            (!has_media).then_some(split)
        }
        _ => None,
    })
}

/// Whether folders are no classes: none are asked for, or what is there does not lie as classes do and nobody says it should.
fn is_plain(ask: &Ask) -> Result<bool> {
    let root = &ask.root.root;
    Ok(match ask.classes {
        Some(classes) => classes == 0,
        None => {
            let tree = tree(ask, root)?;
            let mut has_splits = false;
            for name in children(root, true)? {
                has_splits |= split_folder(root, &name)?.is_some();
            }
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
