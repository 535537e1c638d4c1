//! Lists of mmaction2: lines `path label`. Lists of raw frames, `folder frames label`, are refused: there is nothing to decode.

use super::is_media;
use super::listing::{Ask, Listing, lines, prefix};
use super::splits::Part;
use crate::error::Result;
use std::collections::BTreeMap;

/// Folders in which the files lie.
const PLACES: [&str; 4] = ["", "videos/", "videos_train/", "rawvideos/"];

/// Reads the lists that the site file names. A list trains or is tested by its name, `train` or `val` and `test`; one with
/// `split_2` in it is of split 2.
///
/// # Errors
/// As [`super::Manifest::read`].
pub fn list(ask: &Ask) -> Result<Listing> {
    if ask.root.lists.is_empty() {
        return Err(ask.refuse(
            "its lists are not named",
            format!(
                "write `lists = [\"train_list.txt\", \"val_list.txt\"]` under `[data.{}]`",
                ask.name
            ),
        ));
    }
    let paths: Vec<_> = ask.root.lists.iter().map(|list| ask.at(list)).collect();
    let split_of = |name: &str| {
        let behind = name.split("split").nth(1)?.trim_start_matches(['_', '-']);
        let digits: String = behind.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<usize>().ok().filter(|split| *split > 0)
    };
    let name_of = |path: &std::path::Path| {
        let name = path.file_name().map(|name| name.to_string_lossy());
        name.map_or(String::new(), |name| name.to_lowercase())
    };
    let numbers = paths
        .iter()
        .map(|path| split_of(&name_of(path)).unwrap_or(1));
    let there = numbers.max().unwrap_or(1);
    let count = ask.splits.map_or(there, |splits| splits as usize);
    let mut files: BTreeMap<String, (Option<String>, Vec<Part>)> = BTreeMap::new();
    for path in &paths {
        let name = name_of(path);
        let part = if name.contains("train") {
            Part::Train
        } else if name.contains("val") || name.contains("test") {
            Part::Test
        } else {
            return Err(ask.refuse(
                format!(
                    "`{}` does not say whether it trains or is tested",
                    path.display()
                ),
                "put `train`, `val` or `test` into its name",
            ));
        };
        let split = split_of(&name).unwrap_or(1);
        if split > count {
            continue;
        }
        for (number, line) in lines(ask, path)? {
            let wrong = |what: String, help: &str| {
                ask.refuse(
                    format!("line {number} of `{}`: {what}", path.display()),
                    help,
                )
            };
            let (file, label) = line.rsplit_once(char::is_whitespace).unwrap_or((&line, ""));
            let (file, is_number) = (file.trim(), label.parse::<u32>().is_ok());
            if !is_number {
                return Err(wrong(
                    format!("`{line}` is no path and number of a class"),
                    "lines are `path label`",
                ));
            }
            if let Some((folder, frames)) = file.rsplit_once(char::is_whitespace)
                && frames.parse::<u64>().is_ok()
            {
                return Err(if is_media(folder) {
                    wrong(
                        format!("`{folder}` has several classes"),
                        "scores need one class for each clip: list clips of one class",
                    )
                } else {
                    wrong(
                        format!("`{folder}` is a folder of {frames} raw frames"),
                        "raw frames have no clock and no sound: take the list of the videos",
                    )
                });
            }
            let label = ask.wants_labels().then(|| label.to_owned());
            let entry = files
                .entry(file.to_owned())
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
    }
    let sample: Vec<&str> = files.keys().map(String::as_str).collect();
    let place = prefix(ask, &PLACES, &sample);
    let files = files
        .into_iter()
        .map(|(file, of)| (format!("{place}{file}"), of));
    let mut listing = Listing {
        source: super::quoted(ask, &paths),
        ..Listing::default()
    };
    listing.add_splits(files.collect());
    listing.depends = paths;
    Ok(listing)
}
