//! A CSV with a header: the column `file`, the column of the classes, and `fold` or `split`, or what others call them.
//!
//! Clips of the split `val` are the test clips where none are of the split `test`; otherwise they are left out.

use super::is_media;
use super::listing::{Ask, Listing, clean};
use super::splits::Named;
use crate::error::{Error, Result};
use csv::StringRecord;
use std::io::{BufRead, Read};
use std::path::Path;

/// What the column with the files may be called, in letters of either case. The first name goes before the others.
const FILE: [&str; 11] = [
    "file",
    "filename",
    "file_name",
    "filepath",
    "file_path",
    "path",
    "video",
    "video_path",
    "audio",
    "audio_path",
    "clip",
];
/// What the column with the classes may be called where no other is asked for.
const LABEL: [&str; 4] = ["label", "class", "category", "scene_label"];
/// What the column with the names of the splits may be called.
const SPLIT: [&str; 2] = ["split", "subset"];
/// The longest header that is looked through for the sign between columns.
const HEAD: u64 = 1 << 16;

/// A CSV whose header is known.
pub struct Table<'a> {
    ask: &'a Ask<'a>,
    path: &'a Path,
    header: Vec<String>,
}

impl<'a> Table<'a> {
    /// The header of a file that may be a CSV.
    pub fn header(path: &Path) -> Option<Vec<String>> {
        let mut reader = reader(path).ok()?;
        let header = reader.headers().ok()?;
        Some(header.iter().map(str::to_owned).collect())
    }

    /// The CSV at `path`.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Data`] where it cannot be read.
    pub fn read(ask: &'a Ask<'a>, path: &'a Path) -> Result<Self> {
        let mut table = Self {
            ask,
            path,
            header: Vec::new(),
        };
        let mut reader = reader(path).map_err(|cause| table.damaged(cause))?;
        let header = reader.headers().map_err(|cause| table.damaged(cause))?;
        table.header = header
            .iter()
            .map(|name| name.trim_start_matches('\u{feff}').to_owned())
            .collect();
        Ok(table)
    }

    /// The position of a column.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column == name)
    }

    /// The position of a column that must be there.
    ///
    /// # Errors
    /// [`Error::Data`] with the columns that there are.
    pub fn column(&self, name: &str) -> Result<usize> {
        self.find(name).ok_or_else(|| self.lacks(name))
    }

    /// The position of the column that is called by the first of these names, else by another of them; letters of either case.
    ///
    /// # Errors
    /// [`Error::Data`] where several columns fit.
    fn any(&self, names: &[&str]) -> Result<Option<usize>> {
        let (first, others) = names.split_at(names.len().min(1));
        for names in [first, others] {
            let is_one =
                |column: &String| names.iter().any(|name| column.eq_ignore_ascii_case(name));
            let mut fitting = (0..).zip(&self.header).filter(|(_, column)| is_one(column));
            let Some((at, column)) = fitting.next() else {
                continue;
            };
            let Some((_, other)) = fitting.next() else {
                return Ok(Some(at));
            };
            let wanted = first.first().copied().unwrap_or_default();
            return Err(self.ask.refuse(
                format!(
                    "the columns `{column}` and `{other}` of `{}` both fit `{wanted}`",
                    self.path.display()
                ),
                format!("keep one of them, or call one alone `{wanted}`"),
            ));
        }
        Ok(None)
    }

    fn lacks(&self, name: &str) -> Error {
        let shown = self.path.display();
        let columns = self.header.join(", ");
        if self.header.iter().any(|column| is_media(column)) {
            return self.ask.refuse(
                format!("`{shown}` has no header: it begins with `{columns}`"),
                format!("write the names of the columns above it, as `{name},...`"),
            );
        }
        let near = records::site::nearest(name, self.header.iter().map(String::as_str));
        let help = near.map_or(String::new(), |near| format!("did you mean `{near}`? "));
        self.ask.refuse(
            format!("`{shown}` has no column `{name}`"),
            format!("{help}its columns are: {columns}"),
        )
    }

    /// Something is wrong with a line.
    pub fn refuse(&self, line: u64, what: &str, help: &str) -> Error {
        let message = format!("{what} in line {line} of `{}`", self.path.display());
        self.ask.refuse(message, help)
    }

    /// Calls `take` with the number of each line below the header and its fields.
    ///
    /// # Errors
    /// Those of `take`, and as [`Table::read`].
    pub fn for_each(&self, mut take: impl FnMut(u64, &StringRecord) -> Result<()>) -> Result<()> {
        let mut reader = reader(self.path).map_err(|cause| self.damaged(cause))?;
        let mut record = StringRecord::new();
        while reader
            .read_record(&mut record)
            .map_err(|cause| self.damaged(cause))?
        {
            record.trim();
            take(record.position().map_or(0, csv::Position::line), &record)?;
        }
        Ok(())
    }

    #[allow(clippy::wildcard_enum_match_arm)] // the reader's list may grow
    fn damaged(&self, cause: csv::Error) -> Error {
        let shown = self.path.display();
        let line = |pos: Option<csv::Position>| pos.map_or(0, |pos| pos.line());
        match cause.into_kind() {
            csv::ErrorKind::Io(cause) => Error::io("read", self.path)(cause),
            csv::ErrorKind::UnequalLengths {
                pos,
                expected_len,
                len,
            } => self.ask.refuse(
                format!(
                    "line {} of `{shown}` has {len} fields where the header has {expected_len}",
                    line(pos)
                ),
                "put fields that hold a comma in double quotes",
            ),
            csv::ErrorKind::Utf8 { pos, .. } => {
                let line = bad_line(self.path).unwrap_or(line(pos));
                self.ask.refuse(
                    format!("line {line} of `{shown}` is not UTF-8"),
                    "save the file as UTF-8",
                )
            }
            other => self.ask.refuse(
                format!("`{shown}` is not a CSV: {other:?}"),
                "give a CSV with a header line",
            ),
        }
    }
}

/// The line with the first bytes that are not UTF-8, counted from 1.
fn bad_line(path: &Path) -> Option<u64> {
    let bytes = std::fs::read(path).ok()?;
    let bad = std::str::from_utf8(&bytes).err()?.valid_up_to();
    let ends = bytes[..bad].iter().filter(|byte| **byte == b'\n');
    Some(ends.count() as u64 + 1)
}

fn reader(path: &Path) -> std::result::Result<csv::Reader<std::fs::File>, csv::Error> {
    csv::ReaderBuilder::new()
        .delimiter(delimiter(path))
        .trim(csv::Trim::All)
        .from_path(path)
}

/// The sign between the columns: that of comma, semicolon and tab that the header holds most often.
fn delimiter(path: &Path) -> u8 {
    let mut head = Vec::new();
    // A file that cannot be read fails where its rows are read.
    if let Ok(file) = std::fs::File::open(path) {
        let _ = std::io::BufReader::new(file.take(HEAD)).read_until(b'\n', &mut head);
    }
    let count = |sign: u8| head.iter().filter(|byte| **byte == sign).count();
    // The last of equal counts is taken.
    let signs = [b'\t', b';', b','];
    signs
        .into_iter()
        .max_by_key(|sign| count(*sign))
        .unwrap_or(b',')
}

/// Reads the CSV that the site file names.
///
/// # Errors
/// As [`super::Manifest::read`].
pub fn list(ask: &Ask, path: &Path) -> Result<Listing> {
    let table = Table::read(ask, path)?;
    let mut listing = Listing {
        source: format!("`{}`", path.display()),
        depends: vec![path.to_owned()],
        ..Listing::default()
    };
    let file = table.any(&FILE)?.ok_or_else(|| table.lacks(FILE[0]))?;
    let label = match ask.classes {
        Some(0) => None,
        _ if ask.label == LABEL[0] => table.any(&LABEL)?,
        _ => table.any(&[ask.label])?,
    };
    if label.is_none() && ask.classes.is_some_and(|classes| classes > 0) {
        return Err(table.lacks(ask.label));
    }
    for (at, usual, what) in [
        (Some(file), FILE[0], "files"),
        (label, ask.label, "classes"),
    ] {
        let column = at.map(|at| &table.header[at]);
        if let Some(column) = column.filter(|column| !column.eq_ignore_ascii_case(usual)) {
            let note = format!("the {what} are taken from the column `{column}`");
            listing.notes.push(note);
        }
    }
    let (fold, split) = (table.any(&["fold"])?, table.any(&SPLIT)?);
    let tested = tested(&table, split)?;
    let mut unused = (0, String::new());
    table.for_each(|line, row| {
        let name = field(row, Some(file)).ok_or_else(|| {
            ask.refuse(
                format!("line {line} of `{}` names no file", path.display()),
                format!(
                    "fill the column `{}`, or take the line out",
                    table.header[file]
                ),
            )
        })?;
        let fold = match (field(row, fold), field(row, split)) {
            (Some(text), _) => Some(number(&table, line, text)?),
            (None, Some(text)) => match named(&table, line, text)?.fold(tested) {
                Some(fold) => Some(fold),
                None => {
                    unused.0 += 1;
                    unused.1 = text.to_owned();
                    return Ok(());
                }
            },
            (None, None) => None,
        };
        listing.add(clean(ask, name), field(row, label), fold);
        Ok(())
    })?;
    listing.leave_out(unused.0, &unused.1, "test");
    Ok(listing)
}

/// A field that is not empty.
fn field(row: &StringRecord, at: Option<usize>) -> Option<&str> {
    row.get(at?).filter(|text| !text.is_empty())
}

fn number(table: &Table, line: u64, text: &str) -> Result<u32> {
    let number = text.parse().ok().filter(|fold| *fold < 1 << 31);
    number.ok_or_else(|| {
        table.ask.refuse(
            format!(
                "fold `{text}` in line {line} of `{}` is not a number",
                table.path.display()
            ),
            "folds are whole numbers: 1 is tested in split 1, 0 is never tested",
        )
    })
}

fn named(table: &Table, line: u64, text: &str) -> Result<Named> {
    Named::of(text).ok_or_else(|| {
        table.ask.refuse(
            format!(
                "split `{text}` in line {line} of `{}` is not known",
                table.path.display()
            ),
            "write `train` or `test`",
        )
    })
}

/// Which of the splits that the column names is tested.
fn tested(table: &Table, split: Option<usize>) -> Result<Named> {
    let mut there = Vec::new();
    if split.is_some() {
        table.for_each(|_, row| {
            let named = field(row, split).and_then(Named::of);
            there.extend(named.filter(|named| !there.contains(named)));
            Ok(())
        })?;
    }
    Ok(Named::tested(&there))
}
