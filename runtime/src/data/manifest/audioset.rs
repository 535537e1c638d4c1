//! AudioSet: segment lists `YTID, start_seconds, end_seconds, "labels"` below lines that begin with `#`.
//!
//! Clips vanish from the web, so listed files that are not there are counted and named. A file has the name of the video, with or
//! without a `Y` before it, and the times of the segment behind it in seconds or milliseconds. Clips have several classes each, and
//! scores here need one: a set with classes must hold clips of one class alone.

use super::listing::{Ask, Listing, Stems, lines, tree};
use crate::error::Result;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Names under which the lists are known.
pub const LISTS: [&str; 3] = [
    "unbalanced_train_segments.csv",
    "balanced_train_segments.csv",
    "eval_segments.csv",
];
/// Folders in which they lie.
pub const FOLDERS: [&str; 4] = ["", "metadata", "csv", "lists"];

/// Whether the file is a list of segments.
pub fn is_list(path: &Path) -> bool {
    use std::io::Read;
    let mut head = String::new();
    let Ok(file) = std::fs::File::open(path) else {
        return false;
    };
    // A list that is not text is no list.
    let _ = file.take(4096).read_to_string(&mut head);
    head.lines()
        .take(5)
        .any(|line| line.starts_with('#') && line.contains("YTID"))
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
    let names = class_names(ask, &lists)?;
    let tree = tree(ask, &ask.root.root)?;
    let stems = Stems::of(&tree);
    let mut listing = Listing {
        source: super::quoted(ask, &lists),
        ..Listing::default()
    };
    let (mut several, mut known) = (0, std::collections::HashSet::new());
    for list in &lists {
        let stem = list
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or("");
        let fold = Some(u32::from(stem.contains("eval") || stem.contains("test")));
        for (number, line) in lines(ask, list)? {
            if line.starts_with('#') || line.starts_with("YTID") {
                continue;
            }
            let wrong = |what: &str| {
                ask.refuse(
                    format!("line {number} of `{}`: {what}", list.display()),
                    "a line is `ID, 30.000, 40.000, \"/m/09x0r,/t/dd00088\"`",
                )
            };
            let mut fields = line.splitn(4, ',').map(str::trim);
            let id = fields.next().unwrap_or("");
            let mut second = || {
                let text = fields.next().unwrap_or("");
                text.parse::<f64>()
                    .ok()
                    .filter(|second| (0.0..1e6).contains(second))
                    .ok_or_else(|| wrong(&format!("`{text}` is no time in seconds")))
            };
            let (from, to) = (second()?, second()?);
            let labels = fields.next().unwrap_or("").trim_matches('"');
            let mut classes = labels.split(',').map(str::trim).filter(|id| !id.is_empty());
            let first = classes.next();
            let Some(file) = stems.find(&candidates(id, from, to), &[stem]) else {
                listing.missing.push(format!("{id}_{from:.3}_{to:.3}"));
                continue;
            };
            if !known.insert(file) {
                // The unbalanced list repeats some videos of the balanced one where both are named.
                continue;
            }
            let is_one = classes.next().is_none();
            several += u32::from(!is_one);
            let label = first.filter(|_| is_one && ask.wants_labels());
            let label = label.map(|id| names.get(id).map_or(id, String::as_str));
            listing.add(file, label, fold);
        }
    }
    if several > 0 && ask.classes.is_some_and(|classes| classes > 0) {
        return Err(ask.refuse(
            format!(
                "{several} clips of {} have several classes, and scores need one for each clip",
                listing.source
            ),
            "leave out `classes` to train on it without classes, or list clips of one class in a CSV",
        ));
    }
    listing.depends = [lists, tree.folders].concat();
    Ok(listing)
}

/// What a file of this segment may be called, without its ending.
fn candidates(id: &str, from: f64, to: f64) -> Vec<String> {
    let mut names = Vec::with_capacity(12);
    for id in [id.to_owned(), format!("Y{id}")] {
        names.push(format!("{id}_{from:.3}_{to:.3}"));
        names.push(format!("{id}_{from:.0}_{to:.0}"));
        names.push(format!("{id}_{:.0}_{:.0}", from * 1e3, to * 1e3));
        names.push(format!("{id}_{from:06.0}_{to:06.0}"));
        names.push(format!("{id}_{from:.3}"));
        names.push(format!("{id}_{from:.0}"));
        names.push(format!("{id}_{:.0}", from * 1e3));
        names.push(id);
    }
    names
}

/// The names of the classes by their ids, where `class_labels_indices.csv` lies beside the lists.
fn class_names(ask: &Ask, lists: &[PathBuf]) -> Result<BTreeMap<String, String>> {
    let beside = lists.iter().filter_map(|list| list.parent());
    let mut places = beside.map(|folder| folder.join("class_labels_indices.csv"));
    let Some(path) = places.find(|path| path.is_file()) else {
        return Ok(BTreeMap::new());
    };
    let table = super::csv::Table::read(ask, &path)?;
    let (id, name) = (table.column("mid")?, table.column("display_name")?);
    let mut names = BTreeMap::new();
    table.for_each(|_, row| {
        let field = |at: usize| row.get(at).unwrap_or_default().to_owned();
        names.insert(field(id), field(name));
        Ok(())
    })?;
    Ok(names)
}
