//! UCF101: `trainlist01.txt` with lines `CLASS/FILE.avi NUMBER`, `testlist01.txt` with lines `CLASS/FILE.avi`, three of each, and
//! `classInd.txt` with lines `NUMBER CLASS`.

use super::listing::{Ask, Listing, lines};
use super::places::settle;
use super::splits::Part;
use crate::error::Result;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The list by which the set is known.
pub const FIRST: &str = "trainlist01.txt";
/// Folders in which the lists lie.
pub const FOLDERS: [&str; 5] = ["", "ucfTrainTestlist", "splits", "annotations", "lists"];
/// Folders in which the files mostly lie.
const PLACES: [&str; 5] = ["", "UCF-101/", "UCF101/", "videos/", "rawvideos/"];

/// Reads the lists of as many splits as are asked for.
///
/// # Errors
/// As [`super::Manifest::read`].
pub fn list(ask: &Ask) -> Result<Listing> {
    let splits = splits(ask)?;
    let folder = FOLDERS
        .iter()
        .map(|folder| ask.at(folder))
        .find(|folder| folder.join("classInd.txt").is_file());
    let mut listing = Listing::default();
    let mut numbers = BTreeMap::new();
    if let Some(path) = folder.map(|folder| folder.join("classInd.txt")) {
        for (number, line) in lines(ask, &path)? {
            let class = line.split_once(char::is_whitespace);
            let class = class.and_then(|(at, name)| Some((at.parse::<u32>().ok()?, name.trim())));
            let (at, name) = class.ok_or_else(|| {
                let message = format!("line {number} of `{}` is no `1 CLASS`", path.display());
                ask.refuse(message, "take the list as it was published")
            })?;
            numbers.insert(at, name.to_owned());
        }
        listing.depends.push(path);
    }
    let mut files: BTreeMap<String, (Option<String>, Vec<Part>)> = BTreeMap::new();
    let count = splits.len();
    for (at, (train, test)) in splits.iter().enumerate() {
        for (path, part) in [(train, Part::Train), (test, Part::Test)] {
            for (number, line) in lines(ask, path)? {
                let wrong = |what: String, help: &str| {
                    ask.refuse(
                        format!("line {number} of `{}`: {what}", path.display()),
                        help,
                    )
                };
                let (file, class) = match line.rsplit_once(char::is_whitespace) {
                    Some((file, class)) if class.chars().all(|c| c.is_ascii_digit()) => {
                        (file.trim(), Some(class))
                    }
                    _ => (line.as_str(), None),
                };
                let Some((label, _)) = file.split_once('/') else {
                    return Err(wrong(
                        format!("`{file}` lies in no folder of its class"),
                        "lines are `CLASS/FILE.avi`, in `trainlist` with the number of the class behind it",
                    ));
                };
                let said = class.and_then(|class| numbers.get(&class.parse().unwrap_or(0)));
                if let Some(said) = said.filter(|said| *said != label) {
                    return Err(wrong(
                        format!("`{file}` has the number of class `{said}`"),
                        "`classInd.txt` and the lists must be of one version",
                    ));
                }
                let entry = files
                    .entry(file.to_owned())
                    .or_insert_with(|| (Some(label.to_owned()), vec![Part::Neither; count]));
                if entry.1[at] != Part::Neither {
                    return Err(wrong(
                        format!("`{file}` is listed twice for split {}", at + 1),
                        "keep it in one of the lists",
                    ));
                }
                entry.1[at] = part;
            }
            listing.depends.push(path.clone());
        }
    }
    if !ask.wants_labels() {
        files.values_mut().for_each(|(label, _)| *label = None);
    }
    listing.source = super::quoted(ask, &listing.depends);
    listing.add_splits(files);
    settle(ask, &PLACES, &mut listing)?;
    Ok(listing)
}

/// The lists of training and test clips, split by split.
fn splits(ask: &Ask) -> Result<Vec<(PathBuf, PathBuf)>> {
    let named = |split: u32, kind: &str| -> Option<PathBuf> {
        let name = format!("{kind}list{split:02}.txt");
        if !ask.root.lists.is_empty() {
            let mut lists = ask.root.lists.iter();
            return lists
                .find(|list| list.file_name().is_some_and(|own| own == name.as_str()))
                .map(|list| ask.at(list));
        }
        let mut places = FOLDERS.iter().map(|folder| ask.at(folder).join(&name));
        places.find(|path| path.is_file())
    };
    let most = ask.splits.unwrap_or(3);
    let mut found = Vec::new();
    for split in 1..=most {
        match (named(split, "train"), named(split, "test")) {
            (Some(train), Some(test)) => found.push((train, test)),
            (None, None) if ask.splits.is_none() && split > 1 => break,
            (train, _) => {
                let kind = if train.is_none() { "train" } else { "test" };
                return Err(ask.refuse(
                    format!(
                        "there is no `{kind}list{split:02}.txt` in `{}`",
                        ask.root.root.display()
                    ),
                    format!(
                        "put it there or into `{}`, name the lists with `lists = [...]` under `[data.{}]`, or correct `splits`",
                        FOLDERS[1], ask.name
                    ),
                ));
            }
        }
    }
    Ok(found)
}
