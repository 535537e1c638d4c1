//! What the readers of the layouts share: rows that are listed, text lists, and the media files below a folder.

use super::is_media;
use super::splits::{Part, fold_of};
use crate::error::{Error, Result};
use records::site::DataRoot;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// Levels of folders that are looked into.
const DEPTH: usize = 8;

/// What is asked of a data set, by an experiment or by somebody who looks.
pub struct Ask<'a> {
    /// Its name.
    pub name: &'a str,
    /// Where it lies and how it is laid out.
    pub root: &'a DataRoot,
    /// The column with the classes, where the layout has columns.
    pub label: &'a str,
    /// Number of classes; 0 asks for none, `None` takes what is there.
    pub classes: Option<u32>,
    /// Number of splits; `None` takes what is there.
    pub splits: Option<u32>,
}

impl Ask<'_> {
    /// Whether clips have classes.
    pub fn wants_labels(&self) -> bool {
        self.classes != Some(0)
    }

    /// What is wrong with this data set, and the way out.
    pub fn refuse(&self, message: impl Into<String>, help: impl Into<String>) -> Error {
        Error::Data {
            name: self.name.to_owned(),
            message: message.into(),
            help: help.into(),
        }
    }

    /// A path below the root, or the root where it is empty.
    pub fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        if path.as_os_str().is_empty() {
            // Joined, it would end in `/`.
            return self.root.root.clone();
        }
        self.root.root.join(path)
    }

    /// The lists that the site file names, else those of `usual` that are there, in the root or one of `folders`.
    ///
    /// # Errors
    /// [`Error::Data`] where there is none.
    pub fn lists(&self, usual: &[&str], folders: &[&str]) -> Result<Vec<PathBuf>> {
        if !self.root.lists.is_empty() {
            return Ok(self.root.lists.iter().map(|list| self.at(list)).collect());
        }
        for folder in folders {
            let here = usual.iter().map(|name| self.at(folder).join(name));
            let found: Vec<PathBuf> = here.filter(|path| path.is_file()).collect();
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Err(self.refuse(
            format!(
                "there is none of its lists in `{}`: {}",
                self.root.root.display(),
                usual.join(", ")
            ),
            format!(
                "name them under `[data.{}]`: `lists = [\"...\"]`",
                self.name
            ),
        ))
    }
}

/// A file as listed, before it was looked at.
pub struct Listed {
    /// Its path below the root, with `/`.
    pub file: String,
    /// Position of its class in [`Listing::labels`].
    pub label: Option<u32>,
    /// As [`super::Manifest::fold`].
    pub fold: Option<u32>,
}

/// What a layout lists.
#[derive(Default)]
pub struct Listing {
    /// The files, in any order.
    pub rows: Vec<Listed>,
    /// Names of the classes, in the order in which they were met.
    pub labels: Vec<String>,
    /// Where each name stands in `labels`.
    pub positions: HashMap<String, u32>,
    /// Where it stands, for messages: a list, or `the folders of ...`.
    pub source: String,
    /// Listed files that were looked for and not found.
    pub missing: Vec<String>,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// Lists and folders: as long as they do not change, neither does the listing.
    pub depends: Vec<PathBuf>,
}

impl Listing {
    /// The number of a class, new or known.
    pub fn label(&mut self, name: &str) -> u32 {
        if let Some(&known) = self.positions.get(name) {
            return known;
        }
        let new = self.labels.len() as u32;
        self.labels.push(name.to_owned());
        self.positions.insert(name.to_owned(), new);
        new
    }

    /// One more file.
    pub fn add(&mut self, file: impl Into<String>, label: Option<&str>, fold: Option<u32>) {
        let label = label.map(|label| self.label(label));
        let file = file.into();
        self.rows.push(Listed { file, label, fold });
    }

    /// Says that the clips of a split are left out, because another is tested.
    pub fn leave_out(&mut self, count: usize, split: &str, tested: &str) {
        if count > 0 {
            self.notes.push(format!(
                "{count} clips of the split `{split}` are left out: the split `{tested}` is tested"
            ));
        }
    }

    /// The files of split lists: what each is in the splits from 1 on, and its class. Those in no split are left out with a note.
    pub fn add_splits(&mut self, files: BTreeMap<String, (Option<String>, Vec<Part>)>) {
        let mut unused = 0;
        for (file, (label, parts)) in files {
            if parts.iter().all(|part| *part == Part::Neither) {
                unused += 1;
                continue;
            }
            self.add(file, label.as_deref(), Some(fold_of(&parts)));
        }
        if unused > 0 {
            self.notes
                .push(format!("{unused} listed files are in no split"));
        }
    }
}

/// A listed path below the root in its one spelling: without `./`, doubled `/`, `name/..` and the root itself.
pub fn clean(ask: &Ask, file: &str) -> String {
    let is_clean = !file.starts_with('/')
        && file
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..");
    if is_clean {
        return file.to_owned();
    }
    let root = ask.root.root.to_string_lossy();
    let below = file.strip_prefix(root.trim_end_matches('/'));
    let (start, rest) = match below.and_then(|below| below.strip_prefix('/')) {
        Some(below) => ("", below),
        None if file.starts_with('/') => ("/", file),
        None => ("", file),
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in rest.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("{start}{}", parts.join("/"))
}

/// The lines of a text list with their numbers, without blank ones, line ends and a byte order mark.
///
/// # Errors
/// [`Error::Io`] where it cannot be read; [`Error::Data`] where it is not UTF-8.
pub fn lines(ask: &Ask, path: &Path) -> Result<Vec<(usize, String)>> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let text = String::from_utf8(bytes).map_err(|_| {
        ask.refuse(
            format!("`{}` is not UTF-8", path.display()),
            "save the file as UTF-8",
        )
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let lines = (1..).zip(text.lines().map(str::trim));
    Ok(lines
        .filter(|(_, line)| !line.is_empty())
        .map(|(number, line)| (number, line.to_owned()))
        .collect())
}

/// The media files below a folder.
#[derive(Default)]
pub struct Tree {
    /// Paths below the folder with `/`, sorted.
    pub files: Vec<String>,
    /// The folders that were looked into.
    pub folders: Vec<PathBuf>,
}

/// Walks through a folder and those below it; hidden ones are left out, and what a link leads to a second time.
///
/// # Errors
/// [`Error::Io`] where a folder cannot be read; [`Error::Data`] for a file name that is not UTF-8.
pub fn tree(ask: &Ask, root: &Path) -> Result<Tree> {
    let mut tree = Tree::default();
    let mut seen = BTreeSet::new();
    walk(ask, root, "", DEPTH, &mut seen, &mut tree)?;
    tree.files.sort_unstable();
    Ok(tree)
}

fn walk(
    ask: &Ask,
    folder: &Path,
    below: &str,
    depth: usize,
    seen: &mut BTreeSet<PathBuf>,
    tree: &mut Tree,
) -> Result<()> {
    let failed = Error::io("read", folder);
    let real = folder.canonicalize().map_err(&failed)?;
    if depth == 0 || !seen.insert(real) {
        return Ok(());
    }
    tree.folders.push(folder.to_owned());
    for child in std::fs::read_dir(folder).map_err(&failed)? {
        let child = child.map_err(&failed)?;
        let Ok(name) = child.file_name().into_string() else {
            return Err(ask.refuse(
                format!("the name of `{}` is not UTF-8", child.path().display()),
                "rename it",
            ));
        };
        if name.starts_with('.') {
            continue;
        }
        let kind = child.file_type().map_err(&failed)?;
        if kind.is_dir() || kind.is_symlink() && child.path().is_dir() {
            let below = format!("{below}{name}/");
            walk(ask, &child.path(), &below, depth - 1, seen, tree)?;
        } else if is_media(&name) {
            tree.files.push(format!("{below}{name}"));
        }
    }
    Ok(())
}

/// The files of a tree by their names without ending.
pub struct Stems<'t> {
    tree: &'t Tree,
    by_stem: HashMap<&'t str, Vec<u32>>,
}

impl<'t> Stems<'t> {
    /// Of this tree.
    pub fn of(tree: &'t Tree) -> Self {
        let mut by_stem: HashMap<&str, Vec<u32>> = HashMap::new();
        for (at, file) in (0..).zip(&tree.files) {
            let name = file.rsplit('/').next().unwrap_or(file);
            let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
            by_stem.entry(stem).or_default().push(at);
        }
        Self { tree, by_stem }
    }

    /// The file with one of these names, the first that there is. Where several folders hold it, that which lies in a folder of
    /// the name `near` is taken, else the first.
    pub fn find(&self, names: &[String], near: &[&str]) -> Option<&'t str> {
        let found = names
            .iter()
            .find_map(|name| self.by_stem.get(name.as_str()))?;
        let files = || {
            found
                .iter()
                .map(|&at| self.tree.files[at as usize].as_str())
        };
        let is_near = |file: &&str| {
            let mut folders = file.split('/');
            folders.next_back();
            folders.any(|folder| near.contains(&folder))
        };
        files().find(is_near).or_else(|| files().next())
    }
}
