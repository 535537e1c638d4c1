//! Clips that are files on this machine.

use super::decode;
use super::index::{self, Index, Wanted};
use super::manifest::rows::State;
use super::short;
use super::source::{ClipSource, Request, Streams, Ticks};
use super::stats::{self, Described};
use crate::error::{Error, Result};
use compiler::hir::{self, Short};
use records::site::Site;
use std::path::{Path, PathBuf};

/// A data set of files.
pub struct Files {
    index: Index,
    short: Short,
}

impl Files {
    /// The data set as it lies on this machine. Files that are not in the index are opened, on `threads` threads.
    ///
    /// # Errors
    /// As [`index::open`].
    pub fn open(files: &hir::Files, site: &Site, threads: usize) -> Result<Self> {
        Ok(Self {
            index: index::open(
                Wanted::Declared(files),
                site,
                threads,
                false,
                &mut |_, _| {},
            )?,
            short: files.short,
        })
    }
}

impl Files {
    /// The data set `name` of the site as it lies there, whatever its classes and splits are.
    ///
    /// # Errors
    /// As [`index::open`].
    pub fn found(name: &str, short: Short, site: &Site, threads: usize) -> Result<Self> {
        let index = index::open(Wanted::Found(name), site, threads, false, &mut |_, _| {})?;
        Ok(Self { index, short })
    }
}

impl Files {
    /// The path of a clip below the root, with `/`.
    pub fn relative(&self, clip: usize) -> &str {
        self.index.manifest.file(clip)
    }

    /// Where a clip lies.
    pub fn path(&self, clip: usize) -> PathBuf {
        self.index.manifest.path(clip)
    }

    /// Refuses a file that is not the one that was listed. One that is gone says so itself when it is opened.
    fn check_unchanged(&self, clip: usize, path: &Path) -> Result<()> {
        let now = std::fs::metadata(path).map(|of| State::of(&of));
        match now {
            Ok(now) if now != self.index.manifest.rows.state(clip) => Err(Error::Decode {
                path: path.to_owned(),
                cause:
                    "it has changed since it was listed: `crisscross data index` looks at it anew"
                        .to_owned(),
            }),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

impl ClipSource for Files {
    fn len(&self) -> usize {
        self.index.manifest.len()
    }

    fn name(&self, clip: usize) -> String {
        self.index.manifest.path(clip).display().to_string()
    }

    fn folder(&self) -> Option<&Path> {
        Some(&self.index.manifest.root)
    }

    fn label(&self, clip: usize) -> Option<u32> {
        self.index.manifest.label(clip)
    }

    fn classes(&self) -> &[String] {
        &self.index.manifest.classes
    }

    fn fold(&self, clip: usize) -> Option<u32> {
        self.index.manifest.fold(clip)
    }

    fn streams(&self, clip: usize) -> Result<Streams> {
        self.index
            .columns
            .known(clip)
            .map_err(|cause| Error::Decode {
                path: self.index.manifest.path(clip),
                cause,
            })
    }

    fn read(&self, clip: usize, requests: &[Request]) -> Result<Vec<Ticks>> {
        let streams = self.streams(clip)?;
        let path = self.index.manifest.path(clip);
        self.check_unchanged(clip, &path)?;
        let scan = self.index.columns.scan(clip);
        let scan = scan.and_then(|bytes| decode::Scan::from_bytes(&bytes));
        short::read(self.short, &streams, requests, &path, |requests| {
            decode::read(&path, scan.as_ref(), requests)
        })
    }

    fn describe(&self, splits: u32) -> Option<Described> {
        Some(stats::describe(&self.index, Some(splits)))
    }

    fn fingerprint(&self) -> String {
        self.index.fingerprint.clone()
    }
}
