//! A CSV with a header: the column `file`, the column of the classes, and `fold` or `split`.

use super::listing::{Ask, Listing};
use crate::error::{Error, Result};
use csv::StringRecord;
use std::path::Path;

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

    fn lacks(&self, name: &str) -> Error {
        let shown = self.path.display();
        if let [only] = self.header.as_slice()
            && let Some(sign) = [';', '\t'].into_iter().find(|sign| only.contains(*sign))
        {
            let signs = if sign == ';' { "semicolons" } else { "tabs" };
            return self.ask.refuse(
                format!("the columns of `{shown}` are separated by {signs}"),
                "separate them by commas",
            );
        }
        let near = records::site::nearest(name, self.header.iter().map(String::as_str));
        let help = near.map_or(String::new(), |near| format!("did you mean `{near}`? "));
        self.ask.refuse(
            format!("`{shown}` has no column `{name}`"),
            format!("{help}its columns are: {}", self.header.join(", ")),
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
            csv::ErrorKind::Io(cause) => Error::Io {
                action: "read",
                path: self.path.to_owned(),
                cause,
            },
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
            csv::ErrorKind::Utf8 { pos, .. } => self.ask.refuse(
                format!("line {} of `{shown}` is not UTF-8", line(pos)),
                "save the file as UTF-8",
            ),
            other => self.ask.refuse(
                format!("`{shown}` is not a CSV: {other:?}"),
                "give a CSV with a header line",
            ),
        }
    }
}

fn reader(path: &Path) -> std::result::Result<csv::Reader<std::fs::File>, csv::Error> {
    csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(path)
}

/// Reads the CSV that the site file names.
///
/// # Errors
/// As [`super::Manifest::read`].
pub fn list(ask: &Ask, path: &Path) -> Result<Listing> {
    let shown = path.display();
    let table = Table::read(ask, path)?;
    let file = table.column("file")?;
    let label = match (ask.classes, table.find(ask.label)) {
        (Some(0), _) => None,
        (None, found) => found,
        (Some(_), Some(found)) => Some(found),
        (Some(_), None) => return Err(table.lacks(ask.label)),
    };
    let (fold, split) = (table.find("fold"), table.find("split"));
    let mut listing = Listing {
        source: format!("`{shown}`"),
        depends: vec![path.to_owned()],
        ..Listing::default()
    };
    table.for_each(|line, row| {
        let field = |at: Option<usize>| {
            at.and_then(|at| row.get(at))
                .filter(|text| !text.is_empty())
        };
        let name = field(Some(file)).ok_or_else(|| {
            ask.refuse(
                format!("line {line} of `{shown}` names no file"),
                "fill the column `file`, or take the line out",
            )
        })?;
        let fold = match (field(fold), field(split)) {
            (Some(text), _) => {
                let number = text.parse().ok().filter(|fold| *fold < 1 << 31);
                Some(number.ok_or_else(|| {
                    ask.refuse(
                        format!("fold `{text}` in line {line} of `{shown}` is not a number"),
                        "folds are whole numbers: 1 is tested in split 1, 0 is never tested",
                    )
                })?)
            }
            (None, Some("train")) => Some(0),
            (None, Some("test")) => Some(1),
            (None, Some(text)) => {
                return Err(ask.refuse(
                    format!("split `{text}` in line {line} of `{shown}` is not known"),
                    "write `train` or `test`",
                ));
            }
            (None, None) => None,
        };
        listing.add(name, field(label), fold);
        Ok(())
    })?;
    Ok(listing)
}
