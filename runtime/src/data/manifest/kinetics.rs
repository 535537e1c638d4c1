//! Kinetics: lists `label,youtube_id,time_start,time_end,split`, files `ID_000010_000020.mp4` in any folders.
//!
//! Clips vanish from the web, so listed files that are not there are counted and named. Validation clips are the test clips of the
//! one split, as in what is published; the clips of a list `test` are so where there are no validation clips, and otherwise left out.

use super::csv::Table;
use super::listing::{Ask, Listing, Stems, tree};
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
    let mut rows = Vec::new();
    for list in &lists {
        let table = Table::read(ask, list)?;
        let [id, start, end] = [
            table.column("youtube_id")?,
            table.column("time_start")?,
            table.column("time_end")?,
        ];
        let label = table.find("label");
        let split = table.find("split");
        table.for_each(|line, row| {
            let second = |at: usize| {
                let text = row.get(at).unwrap_or_default();
                text.parse::<f64>()
                    .ok()
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
            let of_list = list
                .file_stem()
                .and_then(|stem| stem.to_str())
                .unwrap_or("");
            let split = split
                .and_then(|at| row.get(at))
                .filter(|split| !split.is_empty())
                .unwrap_or(of_list);
            let (split, near): (_, &[&str]) = if split.contains("train") {
                (Kind::Train, &["train"])
            } else if split.contains("val") {
                (Kind::Validate, &["val", "validate", "validation", "valid"])
            } else if split.contains("test") {
                (Kind::Test, &["test"])
            } else {
                return Err(table.refuse(
                    line,
                    &format!("split `{split}` is not known"),
                    "write `train`, `validate` or `test`",
                ));
            };
            let names = [
                format!("{id}_{from:06.0}_{to:06.0}"),
                format!("{id}_{from:.0}_{to:.0}"),
                id.to_owned(),
            ];
            let label = label
                .and_then(|at| row.get(at))
                .filter(|label| !label.is_empty())
                .map(str::to_owned);
            let found = stems.find(&names, near).map(str::to_owned);
            let [name, ..] = names;
            rows.push((split, found.ok_or(name), label));
            Ok(())
        })?;
    }
    let mut listing = Listing {
        source: super::quoted(ask, &lists),
        may_lack: true,
        ..Listing::default()
    };
    let is_validated = rows.iter().any(|(split, ..)| *split == Kind::Validate);
    let mut unused = 0;
    for (split, file, label) in rows {
        let fold = match split {
            Kind::Train => 0,
            Kind::Validate => 1,
            Kind::Test if is_validated => {
                unused += 1;
                continue;
            }
            Kind::Test => 1,
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

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Train,
    Validate,
    Test,
}
