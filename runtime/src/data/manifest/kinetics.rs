//! Kinetics: lists `label,youtube_id,time_start,time_end,split`, files `ID_000010_000020.mp4` in any folders.
//!
//! Clips vanish from the web, so listed files that are not there are counted and named. Validation clips are the test clips of the
//! one split, as in what is published; the clips of a list `test` are so where there are no validation clips, and otherwise left out.

use super::csv::Table;
use super::listing::{Ask, Listing, Stems, tree};
use super::splits::Named;
use crate::error::Result;
use std::path::Path;

/// Names under which the lists are known.
pub const LISTS: [&str; 8] = [
    "train.csv",
    "validate.csv",
    "val.csv",
    "test.csv",
    "kinetics_train.csv",
    "kinetics_val.csv",
    "kinetics_validate.csv",
    "kinetics_test.csv",
];
/// Folders in which they lie.
pub const FOLDERS: [&str; 3] = ["", "annotations", "lists"];

/// Whether the file is a list of Kinetics.
pub fn is_list(path: &Path) -> bool {
    Table::header(path).is_some_and(|header| {
        let has = |name: &str| header.iter().any(|column| column == name);
        has("youtube_id") && has("time_start") && has("time_end")
    })
}

/// A clip as listed: its split, its file or else the name that it should have, its class.
type Clip = (Named, std::result::Result<String, String>, Option<String>);

/// Reads the lists and finds the files.
///
/// # Errors
/// As [`super::Manifest::read`].
pub fn list(ask: &Ask) -> Result<Listing> {
    let lists = match &ask.root.csv {
        Some(csv) => vec![ask.at(csv)],
        None => ask.lists(&LISTS, &FOLDERS)?,
    };
    let tree = tree(ask, &ask.root.root)?;
    let stems = Stems::of(&tree);
    let mut clips = Vec::new();
    for list in &lists {
        take(ask, list, &stems, &mut clips)?;
    }
    let mut listing = Listing {
        source: super::quoted(ask, &lists),
        ..Listing::default()
    };
    let is_validated = clips.iter().any(|(split, ..)| *split == Named::Validate);
    let tested = if is_validated {
        Named::Validate
    } else {
        Named::Test
    };
    let mut unused = 0;
    for (split, file, label) in clips {
        let Some(fold) = split.fold(tested) else {
            unused += 1;
            continue;
        };
        match file {
            Ok(file) => {
                let label = label.filter(|_| ask.wants_labels());
                listing.add(file, label.as_deref(), Some(fold));
            }
            Err(name) => listing.missing.push(name),
        }
    }
    listing.leave_out(unused, "test", "validate");
    listing.depends = [lists, tree.folders].concat();
    Ok(listing)
}

/// Adds the clips of a list.
fn take(ask: &Ask, list: &Path, stems: &Stems, clips: &mut Vec<Clip>) -> Result<()> {
    let table = Table::read(ask, list)?;
    let [id, start, end] = [
        table.column("youtube_id")?,
        table.column("time_start")?,
        table.column("time_end")?,
    ];
    let (label, split) = (table.find("label"), table.find("split"));
    let stem = list.file_stem().and_then(|stem| stem.to_str());
    table.for_each(|line, row| {
        let field = |at: Option<usize>| row.get(at?).filter(|text| !text.is_empty());
        let second = |at: usize| {
            let text = row.get(at).unwrap_or_default();
            let second = text.parse::<f64>().ok();
            second
                .filter(|second| (0.0..1e6).contains(second))
                .ok_or_else(|| {
                    table.refuse(
                        line,
                        &format!("`{text}` is no time"),
                        "times are seconds from the beginning of the video",
                    )
                })
        };
        let (from, to) = (second(start)?, second(end)?);
        let id = row.get(id).unwrap_or_default();
        let split = field(split).or(stem).unwrap_or_default();
        let (split, near) = named(split).ok_or_else(|| {
            table.refuse(
                line,
                &format!("split `{split}` is not known"),
                "write `train`, `validate` or `test`",
            )
        })?;
        let names = [
            format!("{id}_{from:06.0}_{to:06.0}"),
            format!("{id}_{from:.0}_{to:.0}"),
            id.to_owned(),
        ];
        let found = stems.find(&names, near).map(str::to_owned);
        let [name, ..] = names;
        clips.push((split, found.ok_or(name), field(label).map(str::to_owned)));
        Ok(())
    })
}

/// The split that a column or the name of a list says, and the folders in which its files mostly lie.
fn named(split: &str) -> Option<(Named, &'static [&'static str])> {
    if split.contains("train") {
        Some((Named::Train, &["train"]))
    } else if split.contains("val") {
        let folders: &[&str] = &["val", "validate", "validation", "valid"];
        Some((Named::Validate, folders))
    } else if split.contains("test") {
        Some((Named::Test, &["test"]))
    } else {
        None
    }
}
