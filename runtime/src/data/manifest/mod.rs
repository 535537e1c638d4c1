//! What a data set on this machine consists of: files with their classes and splits, in one of the layouts that people have.

mod audioset;
mod csv;
mod dcase;
mod esc50;
mod folders;
mod hmdb51;
mod kinetics;
mod layout;
mod listing;
mod mmaction2;
mod notes;
mod places;
pub mod rows;
pub mod splits;
#[cfg(test)]
mod tests;
mod ucf101;

use crate::error::{Error, Result};
use compiler::hir;
use listing::{Ask, Listing};
use records::site::{DataRoot, Layout};
use rows::{Rows, State};
use splits::{Part, part};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Endings of the files that are looked for in folders.
const MEDIA: [&str; 30] = [
    "3gp", "aac", "aif", "aiff", "au", "avi", "caf", "flac", "flv", "m4a", "m4v", "mka", "mkv",
    "mov", "mp3", "mp4", "mpeg", "mpg", "mts", "oga", "ogg", "ogv", "opus", "ts", "wav", "webm",
    "wma", "wmv", "m2ts", "mp2",
];
/// Missing or bad files that a message names.
const NAMED: usize = 3;

/// The files of a data set, sorted by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The data set's name.
    pub name: String,
    /// The folder that the files lie in.
    pub root: PathBuf,
    /// How it is laid out.
    pub layout: Layout,
    /// Names of the classes, sorted: as numbers where all are numbers.
    pub classes: Vec<String>,
    /// The files.
    pub rows: Rows,
    /// Listed files that are not there, where the layout expects such losses: their number, and the first names.
    pub missing: (u64, Vec<String>),
    /// What a reader should know: the layout that was recognised, what is missing, what was left out.
    pub notes: Vec<String>,
    /// Lists and folders that the listing was made from, and when they were last changed.
    pub depends: Vec<(PathBuf, u64)>,
}

impl Manifest {
    /// Lists the data set that lies at `root` as an experiment declares it.
    ///
    /// # Errors
    /// [`Error::Data`] where the folder or the lists are not as the experiment says: no files, a column that is not there, a file
    /// that does not exist, another number of classes or folds.
    pub fn read(files: &hir::Files, root: &DataRoot) -> Result<Self> {
        let ask = Ask {
            name: &files.name,
            root,
            label: &files.label,
            classes: Some(files.classes),
            splits: Some(files.splits),
        };
        Self::of(&ask)
    }

    /// Lists the data set `name` as it lies there, with the classes and splits that its lists have.
    ///
    /// # Errors
    /// As [`Manifest::read`].
    pub fn found(name: &str, root: &DataRoot) -> Result<Self> {
        Self::of(&found(name, root))
    }

    fn of(ask: &Ask) -> Result<Self> {
        let (layout, mut listing) = listed(ask)?;
        let source = listing.source.clone();
        if listing.rows.is_empty() {
            return Err(nothing(ask, layout, &listing, &source));
        }
        let more = notes::of(ask, layout, &listing);
        listing.notes.extend(more);
        let positions = classes(ask, layout, &mut listing, &source)?;
        check_folds(ask, &listing, &source)?;
        listing.rows.sort_unstable_by(|a, b| a.file.cmp(&b.file));
        let (mut rows, mut missing) = (Rows::default(), Vec::new());
        let all = listing.rows.len();
        let mut last = String::new();
        for listed in std::mem::take(&mut listing.rows) {
            if listed.file == last {
                return Err(ask.refuse(
                    format!("`{last}` is listed twice in {source}"),
                    "keep one of the two lines",
                ));
            }
            match there(&ask.at(&listed.file)) {
                Some(found) => {
                    let label = listed.label.map(|label| positions[label as usize]);
                    rows.push(&listed.file, label, listed.fold, State::of(&found));
                }
                None => missing.push(listed.file.clone()),
            }
            last = listed.file;
        }
        if missing.len() as f64 > layout::may_lack(layout) * all as f64 || rows.is_empty() {
            return Err(absent(ask, layout, &missing, all, &source));
        }
        listing.missing.append(&mut missing);
        let mut notes = std::mem::take(&mut listing.notes);
        notes.extend(notes::lost(&listing, &source, rows.len()));
        let changed = |path: &Path| std::fs::metadata(path).map_or(0, |of| State::of(&of).changed);
        Ok(Self {
            name: ask.name.to_owned(),
            root: ask.root.root.clone(),
            layout,
            classes: std::mem::take(&mut listing.labels),
            rows,
            missing: (
                listing.missing.len() as u64,
                listing.missing.into_iter().take(20).collect(),
            ),
            notes,
            depends: listing
                .depends
                .into_iter()
                .map(|path| (path.clone(), changed(&path)))
                .collect(),
        })
    }

    /// Number of files.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none; a manifest that was read has one at least.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The path of a file below the root, with `/`.
    pub fn file(&self, row: usize) -> &str {
        self.rows.file(row)
    }

    /// Where a file lies.
    pub fn path(&self, row: usize) -> PathBuf {
        self.root.join(self.file(row))
    }

    /// Position of a file's class in `classes`.
    pub fn label(&self, row: usize) -> Option<u32> {
        self.rows.label(row)
    }

    /// The fold of which a file is a test clip, from 1, or 0 for training only; more generally, what [`part`] reads.
    pub fn fold(&self, row: usize) -> Option<u32> {
        self.rows.fold(row)
    }

    /// Whether classifiers can be fitted and tested on this set: every file has a class and a fold, and every split has test
    /// files, and training files of every class.
    ///
    /// # Errors
    /// [`Error::Data`] with the first thing that is missing.
    pub fn check_scored(&self, splits: u32) -> Result<()> {
        let refuse = |message: String, help: &str| {
            Err(Error::Data {
                name: self.name.clone(),
                message,
                help: help.to_owned(),
            })
        };
        if self.classes.len() < 2 {
            return refuse(
                format!("{} class; a classifier needs two", self.classes.len()),
                "check `classes` and `label` of its declaration, and that each class has files",
            );
        }
        let without = || (0..self.len()).filter(|&row| self.fold(row).is_none());
        if let Some(first) = without().next() {
            let count = without().count();
            return refuse(
                format!(
                    "it is scored, but {count} of its {} files are in no split: `{}`{}",
                    self.len(),
                    self.file(first),
                    if count > 1 { ", ..." } else { "" }
                ),
                "put the class folders into `train` and `test`, or give its CSV a column `fold` (1, 2, ...) or `split` \
                 (`train`, `test`)",
            );
        }
        for split in 1..=splits {
            let name = if splits == 1 {
                String::new()
            } else {
                format!(" in split {split}")
            };
            let (mut is_tested, mut trained) = (false, vec![false; self.classes.len()]);
            for row in 0..self.len() {
                match (
                    self.fold(row).map(|fold| part(fold, split)),
                    self.label(row),
                ) {
                    (Some(Part::Test), _) => is_tested = true,
                    (Some(Part::Train), Some(label)) => trained[label as usize] = true,
                    (Some(Part::Train | Part::Neither) | None, _) => {}
                }
            }
            if !is_tested {
                return refuse(
                    format!("it is scored, but it has no test files{name}"),
                    "mark some files `test` in the column `split`, or give them their fold, or fill the folder `test`",
                );
            }
            if let Some(at) = trained.iter().position(|is| !is) {
                let class = &self.classes[at];
                return refuse(
                    format!("it is scored, but class `{class}` has no training files{name}"),
                    "spread each class over the splits, or take the class out of the data set",
                );
            }
        }
        Ok(())
    }

    /// Whether there are samples of this part of the first split. Where files are in no split, all of them train.
    ///
    /// # Errors
    /// [`Error::Data`] where there is none.
    pub fn check_drawn(&self, of: hir::Part) -> Result<()> {
        let (wanted, name, help) = match of {
            hir::Part::Train => (
                Part::Train,
                "training",
                "mark some files `train` in the column `split`, or draw those of `split: test`",
            ),
            hir::Part::Test => (
                Part::Test,
                "test",
                "mark some files `test` in the column `split`, or give them their fold, or draw those of `split: train`",
            ),
        };
        let is = |row| self.fold(row).map_or(Part::Train, |fold| part(fold, 1));
        match (0..self.len()).any(|row| is(row) == wanted) {
            true => Ok(()),
            false => Err(Error::Data {
                name: self.name.clone(),
                message: format!("samples of it are drawn, but it has no {name} files"),
                help: help.to_owned(),
            }),
        }
    }

    /// Hash of names, sizes, classes and folds. Where the files lie, and in what order they are listed, is not in it.
    pub fn fingerprint(&self) -> String {
        let mut hash = blake3::Hasher::new();
        let mut line = Vec::new();
        for row in 0..self.len() {
            let label = self
                .label(row)
                .and_then(|label| self.classes.get(label as usize));
            line.clear();
            let of = (self.file(row), self.rows.bytes[row], label, self.fold(row));
            // A vector takes all that is written to it.
            let _ = serde_json::to_writer(&mut line, &of);
            line.push(b'\n');
            hash.update(&line);
        }
        hash.finalize().to_hex().to_string()
    }
}

fn found<'a>(name: &'a str, root: &'a DataRoot) -> Ask<'a> {
    Ask {
        name,
        root,
        label: "label",
        classes: None,
        splits: None,
    }
}

/// The layout, and what it lists, with a note where it was recognised.
fn listed(ask: &Ask) -> Result<(Layout, Listing)> {
    let (layout, is_recognised) = layout::layout_of(ask)?;
    let mut listing = layout::list(ask, layout)?;
    if is_recognised {
        let note = format!("read in the layout `{}`: {}", layout.name(), listing.source);
        listing.notes.insert(0, note);
    }
    Ok((layout, listing))
}

fn nothing(ask: &Ask, layout: Layout, listing: &Listing, source: &str) -> Error {
    if !listing.missing.is_empty() {
        return ask.refuse(
            format!(
                "none of the {} files of {source} lies below `{}`: {}",
                listing.missing.len(),
                ask.root.root.display(),
                few(&listing.missing)
            ),
            "correct `root`, or check how the files are named",
        );
    }
    if layout == Layout::Folders {
        return ask.refuse(
            format!("there is no media file in {source}"),
            "give a folder for each class with the files in it, or a CSV with the column `file`, in `crisscross.toml`",
        );
    }
    ask.refuse(
        format!("{source} lists no file"),
        if layout == Layout::Csv {
            "write a line for each file below its header"
        } else {
            "take the lists as they were published"
        },
    )
}

/// Too many listed files do not exist.
fn absent(ask: &Ask, layout: Layout, missing: &[String], all: usize, source: &str) -> Error {
    let root = ask.root.root.display();
    let may_lack = layout::may_lack(layout);
    ask.refuse(
        format!(
            "{} of {all} files of {source} do not exist: {}",
            missing.len(),
            few(missing)
        ),
        if layout == Layout::Csv {
            format!(
                "paths in the column of the files are relative to `{root}`: correct them, correct `root`, or take the lines out"
            )
        } else if may_lack > 0.0 {
            format!(
                "they were looked for by their names in all folders below `{root}`: put them there or correct `root`; {:.0} % may \
                 be missing",
                may_lack * 100.0
            )
        } else {
            format!("put them below `{root}`, correct `root`, or take them out of the lists")
        },
    )
}

/// All files that the data set at `root` lists, sorted, whether they exist or not; and notes for a reader. Files that may be
/// missing and are, are in a note.
///
/// # Errors
/// As [`Manifest::read`].
pub fn listed_files(name: &str, root: &DataRoot) -> Result<(Vec<PathBuf>, Vec<String>)> {
    let ask = found(name, root);
    let (layout, mut listing) = listed(&ask)?;
    if listing.rows.is_empty() {
        return Err(nothing(&ask, layout, &listing, &listing.source));
    }
    let mut notes = std::mem::take(&mut listing.notes);
    notes.extend(notes::of(&ask, layout, &listing));
    let all = listing.rows.iter().map(|listed| listed.file.clone());
    let (found, missing): (BTreeSet<String>, BTreeSet<String>) =
        all.partition(|file| there(&ask.at(file)).is_some());
    let may_lack = layout::may_lack(layout) * (found.len() + missing.len()) as f64;
    let mut files: BTreeSet<PathBuf> = found.iter().map(|file| ask.at(file)).collect();
    if missing.len() as f64 <= may_lack {
        listing.missing.extend(missing);
    } else {
        // Each is looked at as one that cannot be read.
        files.extend(missing.iter().map(|file| ask.at(file)));
    }
    notes.extend(notes::lost(&listing, &listing.source, files.len()));
    Ok((files.into_iter().collect(), notes))
}

/// What lies there, if anything does: also what is no file, such as a pipe, a folder or a link to nowhere, which is then counted as
/// unreadable.
fn there(path: &Path) -> Option<std::fs::Metadata> {
    std::fs::metadata(path)
        .or_else(|_| std::fs::symlink_metadata(path))
        .ok()
}

/// Whether the name ends like that of a media file.
pub fn is_media(name: &str) -> bool {
    Path::new(name)
        .extension()
        .and_then(|ending| ending.to_str())
        .is_some_and(|ending| MEDIA.contains(&ending.to_ascii_lowercase().as_str()))
}

/// Lists, for messages.
fn quoted(ask: &Ask, lists: &[PathBuf]) -> String {
    let names: Vec<String> = lists
        .iter()
        .map(|list| {
            let short = list.strip_prefix(&ask.root.root).unwrap_or(list);
            match lists {
                [only] => format!("`{}`", only.display()),
                _ => format!("`{}`", short.display()),
            }
        })
        .collect();
    match names.as_slice() {
        [first, second, .., last] if names.len() > 4 => {
            format!("{first}, {second}, ... {last}")
        }
        names => names.join(", "),
    }
}

/// The first few of the names.
fn few(names: &[String]) -> String {
    let more = if names.len() > NAMED { ", ..." } else { "" };
    let names: Vec<String> = names
        .iter()
        .take(NAMED)
        .map(|file| format!("`{file}`"))
        .collect();
    format!("{}{more}", names.join(", "))
}

/// Sorts the classes that occur, as many as the experiment says, and gives each label its place among them.
fn classes(ask: &Ask, layout: Layout, listing: &mut Listing, source: &str) -> Result<Vec<u32>> {
    if !ask.wants_labels() {
        listing.labels.clear();
        listing.rows.iter_mut().for_each(|row| row.label = None);
        return Ok(Vec::new());
    }
    if let Some(classes) = ask.classes {
        if let Some(unlabelled) = listing.rows.iter().find(|row| row.label.is_none()) {
            return Err(ask.refuse(
                format!("`{}` has no class in {source}", unlabelled.file),
                format!("fill the column `{}` for every file", ask.label),
            ));
        }
        if listing.labels.len() != classes as usize {
            let names: BTreeSet<&str> = listing.labels.iter().map(String::as_str).collect();
            let few: Vec<&str> = names.iter().copied().take(8).collect();
            let more = if names.len() > few.len() { ", ..." } else { "" };
            return Err(ask.refuse(
                format!(
                    "the experiment says {classes} classes, {source} has {}",
                    names.len()
                ),
                match (layout, few.as_slice()) {
                    (Layout::Folders, [only]) => format!(
                        "the one folder of a class is `{only}`: put the lists that came with the set into the root, or correct \
                         `classes`"
                    ),
                    _ => format!(
                        "correct `classes` or `label`; found in `{}`: {}{more}",
                        ask.label,
                        few.join(", ")
                    ),
                },
            ));
        }
    }
    let mut order: Vec<u32> = (0..listing.labels.len() as u32).collect();
    let number = |at: &u32| listing.labels[*at as usize].parse::<u64>().ok();
    if order.iter().all(|at| number(at).is_some()) {
        order.sort_by_key(|at| (number(at), listing.labels[*at as usize].clone()));
    } else {
        order.sort_by(|a, b| listing.labels[*a as usize].cmp(&listing.labels[*b as usize]));
    }
    let mut positions = vec![0; order.len()];
    for (new, &old) in (0..).zip(&order) {
        positions[old as usize] = new;
    }
    let names = order
        .iter()
        .map(|at| std::mem::take(&mut listing.labels[*at as usize]));
    listing.labels = names.collect();
    Ok(positions)
}

/// Every split that scores are averaged over has test clips.
fn check_folds(ask: &Ask, listing: &Listing, source: &str) -> Result<()> {
    let needed = ask.splits.filter(|splits| *splits > 1).unwrap_or(0);
    let mut tested = vec![false; needed as usize];
    for fold in listing.rows.iter().filter_map(|row| row.fold) {
        for (split, tested) in (1..).zip(&mut tested) {
            *tested |= part(fold, split) == Part::Test;
        }
    }
    match tested.iter().position(|is| !is) {
        None => Ok(()),
        Some(at) => Err(ask.refuse(
            format!(
                "the experiment says {needed} splits, {source} has no file of fold {}",
                at + 1
            ),
            "correct `splits`, or fill the column `fold` with 1, 2, ...",
        )),
    }
}
