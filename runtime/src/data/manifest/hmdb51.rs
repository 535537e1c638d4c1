//! HMDB51: `CLASS_test_split1.txt` with lines `FILE.avi 1`: 1 trains, 2 is tested, 0 takes no part; a list for each class and split.

use super::listing::{Ask, Listing, lines};
use super::places::settle;
use super::splits::{MOST, Part};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Folders in which the lists lie.
pub const FOLDERS: [&str; 6] = [
    "",
    "testTrainMulti_7030_splits",
    "test_train_splits",
    "splits",
    "annotations",
    "lists",
];
/// Folders in which the files mostly lie.
const PLACES: [&str; 5] = ["", "hmdb51_org/", "HMDB51/", "hmdb51/", "videos/"];

/// The class and the split that a list is of, by its name.
fn meaning(path: &Path) -> Option<(String, u32)> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".txt")?;
    let (class, split) = stem.rsplit_once("_test_split")?;
    Some((class.to_owned(), split.parse().ok()?))
}

/// The lists in a folder, by class and split.
pub fn lists_in(folder: &Path) -> BTreeMap<(String, u32), PathBuf> {
    // A folder that is not there holds none.
    let Ok(children) = std::fs::read_dir(folder) else {
        return BTreeMap::new();
    };
    let paths = children.flatten().map(|child| child.path());
    paths
        .filter_map(|path| Some((meaning(&path)?, path)))
        .collect()
}

/// Reads the lists of as many splits as are asked for.
///
/// # Errors
/// As [`super::Manifest::read`].
pub fn list(ask: &Ask) -> Result<Listing> {
    let (folder, lists) = found(ask)?;
    let most = ask
        .splits
        .unwrap_or_else(|| lists.keys().map(|(_, split)| *split).max().unwrap_or(1));
    let classes: std::collections::BTreeSet<&String> =
        lists.keys().map(|(class, _)| class).collect();
    if most > MOST {
        return Err(ask.refuse(format!("{most} splits are too many"), "HMDB51 has three"));
    }
    let mut listing = Listing::default();
    let mut files: BTreeMap<String, (Option<String>, Vec<Part>)> = BTreeMap::new();
    for class in classes {
        for split in 1..=most {
            let Some(path) = lists.get(&(class.clone(), split)) else {
                return Err(ask.refuse(
                    format!(
                        "there is no `{class}_test_split{split}.txt` in `{}`",
                        folder.display()
                    ),
                    "take all lists as they were published, or correct `splits`",
                ));
            };
            for (number, line) in lines(ask, path)? {
                let wrong = |what: &str| -> Error {
                    ask.refuse(
                        format!("line {number} of `{}`: {what}", path.display()),
                        "lines are `FILE.avi 1`: 1 trains, 2 is tested, 0 takes no part",
                    )
                };
                let Some((file, part)) = line.rsplit_once(char::is_whitespace) else {
                    return Err(wrong("there is no number behind the file"));
                };
                let part = match part {
                    "0" => Part::Neither,
                    "1" => Part::Train,
                    "2" => Part::Test,
                    _ => return Err(wrong(&format!("`{part}` is not 0, 1 or 2"))),
                };
                let entry = files
                    .entry(format!("{class}/{}", file.trim()))
                    .or_insert_with(|| (None, vec![Part::Neither; most as usize]));
                entry.0 = ask.wants_labels().then(|| class.clone());
                entry.1[split as usize - 1] = part;
            }
            listing.depends.push(path.clone());
        }
    }
    listing.source = format!("the lists of `{}`", folder.display());
    listing.add_splits(files);
    listing.depends.push(folder);
    settle(ask, &PLACES, &mut listing)?;
    Ok(listing)
}

type Lists = BTreeMap<(String, u32), PathBuf>;

/// The lists, and where they lie.
fn found(ask: &Ask) -> Result<(PathBuf, Lists)> {
    // A folder may be named in place of its many lists.
    let named = ask.root.lists.iter().map(|list| ask.at(list));
    let places: Vec<PathBuf> = if ask.root.lists.is_empty() {
        FOLDERS.iter().map(|folder| ask.at(folder)).collect()
    } else {
        named.collect()
    };
    let mut all = places.into_iter().map(|folder| {
        let lists = lists_in(&folder);
        (folder, lists)
    });
    all.find(|(_, lists)| !lists.is_empty()).ok_or_else(|| {
        ask.refuse(
            format!(
                "there is no `CLASS_test_split1.txt` in `{}` or its folder `{}`",
                ask.root.root.display(),
                FOLDERS[1]
            ),
            format!(
                "put the split files there, or name their folder under `[data.{}]`: `lists = [\"FOLDER\"]`",
                ask.name
            ),
        )
    })
}
