//! Lists of mmaction2: lines `path label`. Lists of raw frames, `folder frames label`, are refused: there is nothing to decode.

use super::is_media;
use super::listing::{Ask, Listing, clean, lines};
use super::places::settle;
use super::splits::Part;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Folders in which the files mostly lie.
const PLACES: [&str; 4] = ["", "videos/", "videos_train/", "rawvideos/"];
/// Folders in which the lists lie.
const FOLDERS: [&str; 2] = ["", "annotations"];
/// How the names of lists of videos end.
const ENDING: &str = "videos.txt";

/// Files with their classes and what they are in each split.
type Files = BTreeMap<String, (Option<String>, Vec<Part>)>;

/// Whether the file is a list of videos: its first line is the path of a media file and the number of its class.
pub fn is_list(path: &Path) -> bool {
    use std::io::Read;
    let mut head = Vec::new();
    let Ok(file) = std::fs::File::open(path) else {
        return false;
    };
    // A list that cannot be read is told apart where it is read.
    let _ = file.take(4096).read_to_end(&mut head);
    let head = String::from_utf8_lossy(&head);
    let mut lines = head.lines().map(str::trim).filter(|line| !line.is_empty());
    let parts = lines
        .next()
        .and_then(|line| line.rsplit_once(char::is_whitespace));
    parts.is_some_and(|(file, label)| label.parse::<u32>().is_ok() && is_media(file.trim()))
}

/// The lists that the site file names, else those of the usual names in the first folder that holds any. Of these, lists of test
/// clips are left out where there are lists of validation clips, as of the sets of which mmaction2 writes both.
pub fn lists_of(ask: &Ask) -> Vec<PathBuf> {
    if !ask.root.lists.is_empty() {
        return ask.root.lists.iter().map(|list| ask.at(list)).collect();
    }
    let usual = |folder: &&str| -> Vec<PathBuf> {
        // A folder that is not there holds none.
        let children = std::fs::read_dir(ask.at(folder)).into_iter().flatten();
        let paths = children
            .flatten()
            .map(|child| ask.at(folder).join(child.file_name()));
        let mut found: Vec<PathBuf> = paths
            .filter(|path| {
                let name = name_of(path);
                name.ends_with(ENDING) && part_of(&name).is_some() && is_list(path)
            })
            .collect();
        found.sort();
        found
    };
    let mut found = FOLDERS
        .iter()
        .map(usual)
        .find(|found| !found.is_empty())
        .unwrap_or_default();
    let is_validated = found.iter().any(|path| name_of(path).contains("val"));
    found.retain(|path| {
        let name = name_of(path);
        !is_validated || name.contains("train") || name.contains("val")
    });
    found
}

/// Reads the lists. A list trains or is tested by its name, `train` or `val` and `test`; one with `split_2` in it is of split 2.
///
/// # Errors
/// As [`super::Manifest::read`].
pub fn list(ask: &Ask) -> Result<Listing> {
    let paths = lists_of(ask);
    if paths.is_empty() {
        return Err(ask.refuse(
            "its lists are not named",
            format!(
                "write `lists = [\"train_list.txt\", \"val_list.txt\"]` under `[data.{}]`",
                ask.name
            ),
        ));
    }
    let numbers = paths
        .iter()
        .map(|path| split_of(&name_of(path)).unwrap_or(1));
    let there = numbers.max().unwrap_or(1);
    let count = ask.splits.map_or(there, |splits| splits as usize);
    let mut files = Files::new();
    for path in &paths {
        let name = name_of(path);
        let part = part_of(&name).ok_or_else(|| {
            ask.refuse(
                format!(
                    "`{}` does not say whether it trains or is tested",
                    path.display()
                ),
                "put `train`, `val` or `test` into its name",
            )
        })?;
        let split = split_of(&name).unwrap_or(1);
        if split <= count {
            take(ask, path, part, split, count, &mut files)?;
        }
    }
    let mut listing = Listing {
        source: super::quoted(ask, &paths),
        ..Listing::default()
    };
    listing.add_splits(files);
    listing.depends = paths;
    if ask.root.lists.is_empty() {
        listing
            .depends
            .extend(FOLDERS.iter().map(|folder| ask.at(folder)));
    }
    settle(ask, &PLACES, &mut listing)?;
    Ok(listing)
}

/// Adds the lines of a list of split `split` of `count`.
fn take(
    ask: &Ask,
    path: &Path,
    part: Part,
    split: usize,
    count: usize,
    files: &mut Files,
) -> Result<()> {
    for (number, line) in lines(ask, path)? {
        let wrong = |what: String, help: &str| {
            ask.refuse(
                format!("line {number} of `{}`: {what}", path.display()),
                help,
            )
        };
        let (file, label) = fields(&line, &wrong)?;
        let label = ask.wants_labels().then(|| label.to_owned());
        let entry = files
            .entry(clean(ask, file))
            .or_insert_with(|| (label.clone(), vec![Part::Neither; count]));
        if entry.0 != label {
            return Err(wrong(
                format!("`{file}` has another class in another list"),
                "take lists of one version",
            ));
        }
        if entry.1[split - 1] != Part::Neither {
            return Err(wrong(
                format!("`{file}` is listed twice"),
                "keep it in one of the lists",
            ));
        }
        entry.1[split - 1] = part;
    }
    Ok(())
}

/// The path and the number of the class in a line.
fn fields<'l>(line: &'l str, wrong: &dyn Fn(String, &str) -> Error) -> Result<(&'l str, &'l str)> {
    let (file, label) = line.rsplit_once(char::is_whitespace).unwrap_or((line, ""));
    let file = file.trim();
    if label.parse::<u32>().is_err() {
        return Err(wrong(
            format!("`{line}` is no path and number of a class"),
            "lines are `path label`",
        ));
    }
    let Some((folder, frames)) = file.rsplit_once(char::is_whitespace) else {
        return Ok((file, label));
    };
    if frames.parse::<u64>().is_err() {
        return Ok((file, label));
    }
    Err(if is_media(folder) {
        wrong(
            format!("`{folder}` has several classes"),
            "scores need one class for each clip: list clips of one class",
        )
    } else {
        wrong(
            format!("`{folder}` is a folder of {frames} raw frames"),
            "raw frames have no clock and no sound: take the list of the videos",
        )
    })
}

/// What the clips of a list of this name are.
fn part_of(name: &str) -> Option<Part> {
    if name.contains("train") {
        Some(Part::Train)
    } else if name.contains("val") || name.contains("test") {
        Some(Part::Test)
    } else {
        None
    }
}

/// The split that the name of a list says, from 1.
fn split_of(name: &str) -> Option<usize> {
    let behind = name.split("split").nth(1)?.trim_start_matches(['_', '-']);
    let digits: String = behind.chars().take_while(char::is_ascii_digit).collect();
    digits.parse::<usize>().ok().filter(|split| *split > 0)
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy());
    name.map_or(String::new(), |name| name.to_lowercase())
}
