//! The index of a data set, kept in the cache folder: its manifest, and of each file when its streams begin and end, how they are
//! coded, and what its packets say, which makes seeks exact.
//!
//! They are kept in the `cache` folder of `crisscross.toml`, else in that of the user, in a folder for each root; where that of the user
//! cannot be written, a note says so and nothing is kept. A set is listed and its files are looked at for size and time of change whenever it is opened, as long as it has no more than
//! [`LOOKED_AT`] files. A larger one is taken from its index where no list and no folder of it has changed; that a file in it was
//! replaced is then seen by `data index` and `data check`, and when it is read: it counts as one that cannot be read. Files that
//! are new or have changed are opened once, and what is found is kept line by line in a journal, so that an interrupt loses
//! nothing. The index is a cache: nothing depends on its being there.

#[cfg(feature = "media")]
mod journal;
mod known;
#[cfg(feature = "media")]
mod look;
mod place;
mod quarantine;
mod scans;
mod store;
#[cfg(test)]
mod tests;

pub use known::{Coded, Columns, Known};
pub use quarantine::quarantine;

use super::manifest::Manifest;
use super::manifest::rows::{Rows, State};
use crate::error::Result;
use compiler::hir;
use place::Place;
use records::say;
use records::site::{DataRoot, Layout, Site};
use scans::Scans;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::{Reader, Unusable, Writer};

/// Files up to which a set is looked at anew whenever it is opened.
pub const LOOKED_AT: usize = 20_000;
/// A folder that changed so shortly before the index was made may have changed again within the same tick of its clock.
const TICK: Duration = Duration::from_secs(2);

/// A data set with what is known of its files.
#[derive(Clone, Debug)]
pub struct Index {
    /// Its files.
    pub manifest: Manifest,
    /// What is known of each.
    pub columns: Columns,
    /// Hash of what the data are: [`Manifest::fingerprint`].
    pub fingerprint: String,
    /// Files that were opened for this.
    pub opened: usize,
}

/// How a data set is asked for: as an experiment declares it, or as it lies there.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// By this declaration.
    Declared(&'a hir::Files),
    /// Under this name.
    Found(&'a str),
}

impl Wanted<'_> {
    fn name(&self) -> &str {
        match self {
            Wanted::Declared(files) => &files.name,
            Wanted::Found(name) => name,
        }
    }

    fn read(&self, root: &DataRoot) -> Result<Manifest> {
        match self {
            Wanted::Declared(files) => Manifest::read(files, root),
            Wanted::Found(name) => Manifest::found(name, root),
        }
    }
}

/// What stands before the columns.
#[derive(Serialize, Deserialize)]
struct Header {
    name: String,
    layout: Layout,
    classes: Vec<String>,
    missing: (u64, Vec<String>),
    notes: Vec<String>,
    depends: Vec<(PathBuf, u64)>,
    fingerprint: String,
    /// When it was made, in nanoseconds since 1970.
    made: u64,
    /// Names of codecs, and causes of failures.
    words: Vec<String>,
}

impl Header {
    /// Whether no list and no folder has changed since.
    fn is_current(&self) -> bool {
        self.depends.iter().all(|(path, changed)| {
            let now = std::fs::metadata(path).map(|of| State::of(&of).changed);
            let is_old = changed.saturating_add(TICK.as_nanos() as u64) < self.made;
            is_old && now.is_ok_and(|now| now == *changed)
        })
    }
}

/// The manifest of a data set and its fingerprint, from the index where that may be trusted. No file is opened.
///
/// # Errors
/// As [`Manifest::read`]; [`crate::error::Error::Records`] where `crisscross.toml` gives no root.
pub fn manifest(wanted: Wanted, site: &Site) -> Result<(Manifest, String)> {
    let root = site.root(wanted.name())?;
    let path = Place::of(site, root).map(|place| place.index(&wanted, root));
    if let Some((header, rows, _)) = path.and_then(|path| stored(&path))
        && rows.len() > LOOKED_AT
        && header.is_current()
    {
        let fingerprint = header.fingerprint.clone();
        return Ok((of(header, rows, root), fingerprint));
    }
    let manifest = wanted.read(root)?;
    let fingerprint = manifest.fingerprint();
    Ok((manifest, fingerprint))
}

/// The data set with what is known of its files. Those that are new or have changed are opened, on `threads` threads; `progress`
/// is called with their number so far and in all. With `anew`, the files are listed and looked at however many there are.
///
/// # Errors
/// As [`manifest`]; [`crate::error::Error::Io`] where the index cannot be written to the folder that the site file names.
pub fn open(
    wanted: Wanted,
    site: &Site,
    threads: usize,
    anew: bool,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Index> {
    let root = site.root(wanted.name())?;
    let mut place = Place::of(site, root);
    let path = place.as_ref().map(|place| place.index(&wanted, root));
    let mut kept = None;
    if let Some(path) = &path
        && let Some((header, rows, reader)) = stored(path)
    {
        match columns(reader, &header, rows.len()) {
            Ok(columns) if !anew && rows.len() > LOOKED_AT && header.is_current() => {
                let fingerprint = header.fingerprint.clone();
                return Ok(with_quarantine(
                    Index {
                        manifest: of(header, rows, root),
                        columns,
                        fingerprint,
                        opened: 0,
                    },
                    place.as_ref(),
                ));
            }
            Ok(columns) => kept = Some((of(header, rows, root), columns)),
            Err(why) => set_aside(path, &why),
        }
    }
    let manifest = wanted.read(root)?;
    let mut columns = Columns::unseen(manifest.len());
    let is_same = kept.as_ref().is_some_and(|(old, _)| *old == manifest);
    for (old, known) in kept.iter().map(|(old, known)| (&old.rows, known)) {
        take_over(&manifest.rows, &mut columns, old, known);
    }
    if columns.unseen_rows() > 0 {
        for (rows, known) in place.iter().zip(&path).flat_map(siblings) {
            take_over(&manifest.rows, &mut columns, &rows, &known);
        }
    }
    let opened = columns.unseen_rows();
    #[cfg(feature = "media")]
    if opened > 0 {
        place::warn(place.as_ref());
        look::look(&manifest, &mut columns, &mut place, threads, progress)?;
    }
    #[cfg(not(feature = "media"))]
    let _ = (threads, progress);
    let fingerprint = manifest.fingerprint();
    if !(is_same && opened == 0)
        && let Some(path) = &path
    {
        place::keep(&mut place, || {
            store(path, &manifest, &columns, &fingerprint)
        })?;
    }
    #[cfg(feature = "media")]
    place
        .iter()
        .for_each(|place| journal::remove(&place.journal(&manifest.name)));
    Ok(with_quarantine(
        Index {
            manifest,
            columns,
            fingerprint,
            opened,
        },
        place.as_ref(),
    ))
}

fn with_quarantine(mut index: Index, place: Option<&Place>) -> Index {
    if let Some(place) = place {
        let path = place.quarantine(&index.manifest.name);
        quarantine::apply(&index.manifest, &mut index.columns, &path);
    }
    index
}

/// Takes over what is known of files that have the same name, size and time. Both sides are sorted.
fn take_over(rows: &Rows, columns: &mut Columns, old: &Rows, known: &Columns) {
    let mut at = 0;
    for row in 0..rows.len() {
        while at < old.len() && old.file(at) < rows.file(row) {
            at += 1;
        }
        let is_same = at < old.len() && old.file(at) == rows.file(row);
        if is_same && old.state(at) == rows.state(row) && known.is_seen(at) && !columns.is_seen(row)
        {
            columns.copy(row, known, at);
        }
    }
}

/// What is stored there; the reader stands before what is known of the files. What cannot be used is set aside.
fn stored(path: &Path) -> Option<(Header, Rows, Reader)> {
    match begin(path) {
        Ok(stored) => Some(stored),
        Err(why) => {
            set_aside(path, &why);
            None
        }
    }
}

/// What is known in other indexes of the same root than that at `own`: of other declarations of the set, or under another name.
fn siblings((place, own): (&Place, &PathBuf)) -> Vec<(Rows, Columns)> {
    let others = place.indexes().filter(|path| path != own);
    let read = |path: PathBuf| {
        let (header, rows, reader) = begin(&path).ok()?;
        let columns = columns(reader, &header, rows.len()).ok()?;
        Some((rows, columns))
    };
    others.filter_map(read).collect()
}

fn begin(path: &Path) -> std::result::Result<(Header, Rows, Reader), Unusable> {
    let (mut reader, header) = Reader::open(path)?;
    let header: Header = serde_json::from_slice(&header)
        .map_err(|_| Unusable::Because("it is damaged".to_owned()))?;
    let rows = Rows {
        names: reader.column()?,
        ends: reader.column()?,
        labels: reader.column()?,
        folds: reader.column()?,
        bytes: reader.column()?,
        changed: reader.column()?,
    };
    if !rows.is_whole(header.classes.len()) {
        return Err(Unusable::Because("it is damaged".to_owned()));
    }
    Ok((header, rows, reader))
}

fn columns(
    mut reader: Reader,
    header: &Header,
    rows: usize,
) -> std::result::Result<Columns, Unusable> {
    let mut columns = Columns {
        seen: reader.column()?,
        limits: [
            reader.column()?,
            reader.column()?,
            reader.column()?,
            reader.column()?,
        ],
        codecs: [reader.column()?, reader.column()?],
        causes: reader.column()?,
        sizes: [reader.column()?, reader.column()?],
        fps: reader.column()?,
        rates: reader.column()?,
        channels: reader.column()?,
        known_words: header.words.iter().cloned().zip(0..).collect(),
        words: header.words.clone(),
        scans: Scans::default(),
    };
    let ends: Vec<u64> = reader.column()?;
    let (file, start, length) = reader.rest()?;
    if !columns.fits(rows) || ends.len() != rows || ends.last().is_some_and(|end| *end != length) {
        return Err(Unusable::Because("it is damaged".to_owned()));
    }
    columns.scans = Scans::stored(file, start, ends);
    Ok(columns)
}

fn store(path: &Path, manifest: &Manifest, columns: &Columns, fingerprint: &str) -> Result<()> {
    let made = SystemTime::now().duration_since(UNIX_EPOCH);
    let header = Header {
        name: manifest.name.clone(),
        layout: manifest.layout,
        classes: manifest.classes.clone(),
        missing: manifest.missing.clone(),
        notes: manifest.notes.clone(),
        depends: manifest.depends.clone(),
        fingerprint: fingerprint.to_owned(),
        made: made.map_or(0, |since| since.as_nanos() as u64),
        words: columns.words.clone(),
    };
    let header = serde_json::to_vec(&header).expect("a header is plain data");
    let mut writer = Writer::new(path, &header)?;
    let rows = &manifest.rows;
    writer.column(&rows.names)?;
    writer.column(&rows.ends)?;
    writer.column(&rows.labels)?;
    writer.column(&rows.folds)?;
    writer.column(&rows.bytes)?;
    writer.column(&rows.changed)?;
    writer.column(&columns.seen)?;
    for column in &columns.limits {
        writer.column(column)?;
    }
    for column in &columns.codecs {
        writer.column(column)?;
    }
    writer.column(&columns.causes)?;
    for column in &columns.sizes {
        writer.column(column)?;
    }
    writer.column(&columns.fps)?;
    writer.column(&columns.rates)?;
    writer.column(&columns.channels)?;
    let (ends, scans) = columns.scans.columns(rows.len());
    writer.column(&ends)?;
    writer.column(&scans)?;
    writer.finish()
}

/// The manifest of a header. Its root is the one that is asked for: a link to the same folder, or the folder itself.
fn of(header: Header, rows: Rows, root: &DataRoot) -> Manifest {
    Manifest {
        name: header.name,
        root: root.root.clone(),
        layout: header.layout,
        classes: header.classes,
        rows,
        missing: header.missing,
        notes: header.notes,
        depends: header.depends,
    }
}

/// Moves an index that cannot be used out of the way and says so; one that is not there is no matter.
fn set_aside(path: &Path, why: &Unusable) {
    let Unusable::Because(why) = why else {
        return;
    };
    let aside = path.with_extension("bin.old");
    let done = match std::fs::rename(path, &aside) {
        Ok(()) => format!("set aside as `{}` and made anew", aside.display()),
        Err(_) => "made anew".to_owned(),
    };
    say(&format!("the index `{}` is {done}: {why}", path.display()));
}
