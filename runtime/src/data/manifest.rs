//! What a data set on this machine consists of: files with their classes and folds, from a CSV or from class folders.

use crate::error::{Error, Result};
use compiler::hir;
use records::site::DataRoot;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Endings of the files that are looked for in class folders.
const MEDIA: [&str; 30] = [
    "3gp", "aac", "aif", "aiff", "au", "avi", "caf", "flac", "flv", "m4a", "m4v", "mka", "mkv",
    "mov", "mp3", "mp4", "mpeg", "mpg", "mts", "oga", "ogg", "ogv", "opus", "ts", "wav", "webm",
    "wma", "wmv", "m2ts", "mp2",
];
/// Missing or bad files that a message names.
const NAMED: usize = 3;

/// One file of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its path below the root, with `/`.
    pub file: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Position of its class in [`Manifest::classes`].
    pub label: Option<u32>,
    /// The fold of which it is a test clip, from 1; 0 is training only.
    pub fold: Option<u32>,
    /// Its size.
    pub bytes: u64,
    /// When it was last changed, in nanoseconds since 1970; tells whether an index entry is still good.
    pub changed: u128,
}

/// The files of a data set, sorted by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The data set's name.
    pub name: String,
    /// The files.
    pub entries: Vec<Entry>,
    /// Names of the classes, sorted: as numbers where all are numbers.
    pub classes: Vec<String>,
}

/// A file as listed, before it was looked at.
struct Listed {
    file: String,
    label: Option<String>,
    fold: Option<u32>,
}

impl Manifest {
    /// Lists the data set that lies at `root`.
    ///
    /// # Errors
    /// [`Error::Data`] where the folder or the CSV is not as the experiment says: no files, a column that is not there, a file
    /// that does not exist, another number of classes or folds.
    pub fn read(files: &hir::Files, root: &DataRoot) -> Result<Self> {
        let (listed, source) = match &root.csv {
            Some(csv) => {
                let csv = root.root.join(csv);
                let label = (files.classes > 0).then_some(files.label.as_str());
                (
                    from_csv(&files.name, label, &csv)?,
                    format!("`{}`", csv.display()),
                )
            }
            None => (
                from_folders(files, &root.root)?,
                format!("the folders of `{}`", root.root.display()),
            ),
        };
        let refuse = |message, help| Error::Data {
            name: files.name.clone(),
            message,
            help,
        };
        if listed.is_empty() && root.csv.is_some() {
            return Err(refuse(
                format!("{source} lists no file"),
                "write a line for each file below its header".to_owned(),
            ));
        }
        if listed.is_empty() {
            return Err(refuse(
                format!("there is no media file in {source}"),
                "give a folder for each class with the files in it, or a CSV with the column `file`, in `crisscross.toml`".to_owned(),
            ));
        }
        let classes = classes(files, &listed, &source)?;
        check_folds(files, &listed, &source)?;
        let positions: BTreeMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
        let (mut entries, mut missing) = (BTreeMap::new(), Vec::new());
        for Listed { file, label, fold } in &listed {
            let path = root.root.join(file);
            let Some(found) = std::fs::metadata(&path)
                .ok()
                .filter(std::fs::Metadata::is_file)
            else {
                missing.push(file.as_str());
                continue;
            };
            let changed = found
                .modified()
                .ok()
                .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
            let entry = Entry {
                file: file.clone(),
                path,
                label: label
                    .as_ref()
                    .and_then(|label| positions.get(label.as_str()).copied()),
                fold: *fold,
                bytes: found.len(),
                changed: changed.map_or(0, |since| since.as_nanos()),
            };
            if entries.insert(file.clone(), entry).is_some() {
                return Err(refuse(
                    format!("`{file}` is listed twice in {source}"),
                    "keep one of the two lines".to_owned(),
                ));
            }
        }
        if !missing.is_empty() {
            let more = if missing.len() > NAMED { ", ..." } else { "" };
            let names: Vec<String> = missing
                .iter()
                .take(NAMED)
                .map(|file| format!("`{file}`"))
                .collect();
            return Err(refuse(
                format!(
                    "{} of {} files of {source} do not exist: {}{more}",
                    missing.len(),
                    listed.len(),
                    names.join(", ")
                ),
                format!(
                    "paths in the column `file` are relative to `{}`: correct them, correct `root`, or take the lines out",
                    root.root.display()
                ),
            ));
        }
        Ok(Self {
            name: files.name.clone(),
            entries: entries.into_values().collect(),
            classes,
        })
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
        let is_without = |entry: &&Entry| entry.fold.is_none();
        if let Some(first) = self.entries.iter().find(is_without) {
            let count = self.entries.iter().filter(is_without).count();
            return refuse(
                format!(
                    "it is scored, but {count} of its {} files are in no split: `{}`{}",
                    self.entries.len(),
                    first.file,
                    if count > 1 { ", ..." } else { "" }
                ),
                "put the class folders into `train` and `test`, or give its CSV a column `fold` (1, 2, ...) or `split` \
                 (`train`, `test`)",
            );
        }
        for split in 1..=splits {
            let is_test = |entry: &&Entry| entry.fold == Some(split);
            let name = if splits == 1 {
                String::new()
            } else {
                format!(" in split {split}")
            };
            if !self.entries.iter().any(|entry| is_test(&entry)) {
                return refuse(
                    format!("it is scored, but it has no test files{name}"),
                    "mark some files `test` in the column `split`, or give them their fold, or fill the folder `test`",
                );
            }
            let trained: BTreeSet<u32> = self
                .entries
                .iter()
                .filter(|entry| !is_test(entry))
                .filter_map(|entry| entry.label)
                .collect();
            let missing = (0..)
                .zip(&self.classes)
                .find(|(at, _)| !trained.contains(at));
            if let Some((_, class)) = missing {
                return refuse(
                    format!("it is scored, but class `{class}` has no training files{name}"),
                    "spread each class over the splits, or take the class out of the data set",
                );
            }
        }
        Ok(())
    }

    /// Hash of names, sizes, classes and folds. Where the files lie, and in what order they are listed, is not in it.
    pub fn fingerprint(&self) -> String {
        let mut hash = blake3::Hasher::new();
        for entry in &self.entries {
            let label = entry
                .label
                .and_then(|label| self.classes.get(label as usize));
            let line = serde_json::json!([entry.file, entry.bytes, label, entry.fold]);
            hash.update(line.to_string().as_bytes());
            hash.update(b"\n");
        }
        hash.finalize().to_hex().to_string()
    }
}

/// The files that the CSV of a data set lists, whether they exist or not; `None` for a set without a CSV.
///
/// # Errors
/// [`Error::Data`] where the CSV is damaged or has no column `file`.
pub fn csv_files(name: &str, root: &DataRoot) -> Result<Option<BTreeSet<PathBuf>>> {
    let Some(csv) = &root.csv else {
        return Ok(None);
    };
    let listed = from_csv(name, None, &root.root.join(csv))?;
    let files = listed.iter().map(|listed| root.root.join(&listed.file));
    Ok(Some(files.collect()))
}

/// The lines of a CSV with a header; the classes are in the column `label`.
fn from_csv(name: &str, label: Option<&str>, path: &Path) -> Result<Vec<Listed>> {
    let refuse = |message, help| Error::Data {
        name: name.to_owned(),
        message,
        help,
    };
    let shown = path.display();
    #[allow(clippy::wildcard_enum_match_arm)] // the reader's list may grow
    let damaged = |cause: csv::Error| match cause.into_kind() {
        csv::ErrorKind::Io(cause) => Error::Io {
            action: "read",
            path: path.to_owned(),
            cause,
        },
        csv::ErrorKind::UnequalLengths {
            pos,
            expected_len,
            len,
        } => refuse(
            format!(
                "line {} of `{shown}` has {len} fields where the header has {expected_len}",
                pos.map_or(0, |pos| pos.line())
            ),
            "put fields that hold a comma in double quotes".to_owned(),
        ),
        csv::ErrorKind::Utf8 { pos, .. } => refuse(
            format!(
                "line {} of `{shown}` is not UTF-8",
                pos.map_or(0, |pos| pos.line())
            ),
            "save the file as UTF-8".to_owned(),
        ),
        other => refuse(
            format!("`{shown}` is not a CSV: {other:?}"),
            "give a CSV with a header line".to_owned(),
        ),
    };
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(damaged)?;
    let header: Vec<String> = reader
        .headers()
        .map_err(damaged)?
        .iter()
        .map(str::to_owned)
        .collect();
    let column = |name: &str| header.iter().position(|column| column == name);
    let missing = |name: &str| {
        if let [only] = header.as_slice()
            && let Some(sign) = [';', '\t'].into_iter().find(|sign| only.contains(*sign))
        {
            return refuse(
                format!(
                    "the columns of `{shown}` are separated by {}",
                    if sign == ';' { "semicolons" } else { "tabs" }
                ),
                "separate them by commas".to_owned(),
            );
        }
        let near = records::site::nearest(name, header.iter().map(String::as_str));
        let help = near.map_or(String::new(), |near| format!("did you mean `{near}`? "));
        refuse(
            format!("`{shown}` has no column `{name}`"),
            format!("{help}its columns are: {}", header.join(", ")),
        )
    };
    let file = column("file").ok_or_else(|| missing("file"))?;
    let label = label
        .map(|label| column(label).ok_or_else(|| missing(label)))
        .transpose()?;
    let (fold, split) = (column("fold"), column("split"));
    let mut listed = Vec::new();
    for record in reader.records() {
        let record = record.map_err(damaged)?;
        let line = record.position().map_or(0, csv::Position::line);
        let field = |at: Option<usize>| {
            at.and_then(|at| record.get(at))
                .filter(|text| !text.is_empty())
        };
        let name = field(Some(file)).ok_or_else(|| {
            refuse(
                format!("line {line} of `{shown}` names no file"),
                "fill the column `file`, or take the line out".to_owned(),
            )
        })?;
        let fold = match (field(fold), field(split)) {
            (Some(text), _) => Some(text.parse().map_err(|_| {
                let help =
                    "folds are whole numbers: 1 is tested in split 1, 0 is never tested".to_owned();
                refuse(
                    format!("fold `{text}` in line {line} of `{shown}` is not a number"),
                    help,
                )
            })?),
            (None, Some("train")) => Some(0),
            (None, Some("test")) => Some(1),
            (None, Some(text)) => {
                let help = "write `train` or `test`".to_owned();
                return Err(refuse(
                    format!("split `{text}` in line {line} of `{shown}` is not known"),
                    help,
                ));
            }
            (None, None) => None,
        };
        listed.push(Listed {
            file: name.to_owned(),
            label: field(label).map(str::to_owned),
            fold,
        });
    }
    Ok(listed)
}

/// `class/file`, or `train/class/file` and `test/class/file`. A media file that lies elsewhere is an error, not left out. With no
/// classes asked for, files lie in these places or right above them.
fn from_folders(files: &hir::Files, root: &Path) -> Result<Vec<Listed>> {
    let folders = children(root, true)?;
    let (splits, others): (Vec<&String>, Vec<&String>) = folders
        .iter()
        .partition(|name| *name == "train" || *name == "test");
    check_no_media(files, root, "in a folder of its class")?;
    if splits.is_empty() {
        return class_folders(files, root, "", None);
    }
    for name in others {
        let below = root.join(name);
        let mut levels = vec![below.clone()];
        levels.extend(children(&below, true)?.iter().map(|name| below.join(name)));
        for level in levels {
            check_no_media(
                files,
                &level,
                "below `train` or `test`, as others of this set do",
            )?;
        }
    }
    let mut listed = Vec::new();
    for name in splits {
        check_no_media(files, &root.join(name), "in a folder of its class")?;
        let fold = Some(u32::from(name == "test"));
        listed.extend(class_folders(files, root, &format!("{name}/"), fold)?);
    }
    Ok(listed)
}

/// Refuses a media file right in `folder`, which should lie at `place`; without classes files may lie anywhere.
fn check_no_media(files: &hir::Files, folder: &Path, place: &str) -> Result<()> {
    if files.classes == 0 {
        return Ok(());
    }
    match children(folder, false)?.iter().find(|name| is_media(name)) {
        None => Ok(()),
        Some(name) => Err(Error::Data {
            name: files.name.clone(),
            message: format!("`{}` does not lie {place}", folder.join(name).display()),
            help: "move it there or away, or list the files of the set in a CSV".to_owned(),
        }),
    }
}

fn class_folders(
    files: &hir::Files,
    root: &Path,
    below: &str,
    fold: Option<u32>,
) -> Result<Vec<Listed>> {
    let mut listed = Vec::new();
    for class in children(&root.join(below), true)? {
        let folder = root.join(below).join(&class);
        for inner in children(&folder, true)? {
            check_no_media(
                files,
                &folder.join(inner),
                "right in the folder of its class",
            )?;
        }
        let names = children(&folder, false)?;
        listed.extend(
            names
                .into_iter()
                .filter(|name| is_media(name))
                .map(|name| Listed {
                    file: format!("{below}{class}/{name}"),
                    label: Some(class.clone()),
                    fold,
                }),
        );
    }
    if files.classes == 0 {
        let names = children(&root.join(below), false)?
            .into_iter()
            .filter(|name| is_media(name));
        listed.extend(names.map(|name| Listed {
            file: format!("{below}{name}"),
            label: None,
            fold,
        }));
    }
    Ok(listed)
}

/// Whether the name ends like that of a media file.
pub fn is_media(name: &str) -> bool {
    Path::new(name)
        .extension()
        .and_then(|ending| ending.to_str())
        .is_some_and(|ending| MEDIA.contains(&ending.to_ascii_lowercase().as_str()))
}

/// Names of the folders or of the files in a folder, sorted; hidden ones left out.
fn children(folder: &Path, folders: bool) -> Result<Vec<String>> {
    let failed = |cause| Error::Io {
        action: "read",
        path: folder.to_owned(),
        cause,
    };
    let mut names = Vec::new();
    for child in std::fs::read_dir(folder).map_err(failed)? {
        let child = child.map_err(failed)?;
        let name = child.file_name().to_string_lossy().into_owned();
        // Only a link needs another question to the system, which counts for a set of many files.
        let kind = child.file_type().map_err(failed)?;
        let is_folder = kind.is_dir() || kind.is_symlink() && child.path().is_dir();
        if !name.starts_with('.') && is_folder == folders {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The classes that occur, as many as the experiment says.
fn classes(files: &hir::Files, listed: &[Listed], source: &str) -> Result<Vec<String>> {
    if files.classes == 0 {
        return Ok(Vec::new());
    }
    let refuse = |message, help| Error::Data {
        name: files.name.clone(),
        message,
        help,
    };
    if let Some(unlabelled) = listed.iter().find(|listed| listed.label.is_none()) {
        return Err(refuse(
            format!("`{}` has no class in {source}", unlabelled.file),
            format!("fill the column `{}` for every file", files.label),
        ));
    }
    let names: BTreeSet<&str> = listed
        .iter()
        .filter_map(|listed| listed.label.as_deref())
        .collect();
    if names.len() != files.classes as usize {
        let few: Vec<&str> = names.iter().copied().take(8).collect();
        let more = if names.len() > few.len() { ", ..." } else { "" };
        return Err(refuse(
            format!(
                "the experiment says {} classes, {source} has {}",
                files.classes,
                names.len()
            ),
            format!(
                "correct `classes` or `label`; found in `{}`: {}{more}",
                files.label,
                few.join(", ")
            ),
        ));
    }
    let mut names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    if names.iter().all(|name| name.parse::<u64>().is_ok()) {
        names.sort_by_key(|name| name.parse::<u64>().unwrap_or(u64::MAX));
    }
    Ok(names)
}

/// Every split that scores are averaged over has test clips.
fn check_folds(files: &hir::Files, listed: &[Listed], source: &str) -> Result<()> {
    let folds: BTreeSet<u32> = listed
        .iter()
        .filter_map(|listed| listed.fold)
        .filter(|&fold| fold > 0)
        .collect();
    let needed = if files.splits > 1 { files.splits } else { 0 };
    match (1..=needed).find(|fold| !folds.contains(fold)) {
        None => Ok(()),
        Some(fold) => Err(Error::Data {
            name: files.name.clone(),
            message: format!(
                "the experiment says {} splits, {source} has no file of fold {fold}",
                files.splits
            ),
            help: "correct `splits`, or fill the column `fold` with 1, 2, ...".to_owned(),
        }),
    }
}
