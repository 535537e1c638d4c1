//! Clips that are files on this machine.

use super::decode;
use super::index::{self, Known};
use super::manifest::Manifest;
use super::short;
use super::source::{ClipSource, Request, Streams, Ticks};
use crate::error::{Error, Result};
use crate::parts::{Part, measured};
use compiler::hir::{self, Short};
use records::site::Site;
use std::path::PathBuf;

/// A data set of files.
pub struct Files {
    manifest: Manifest,
    known: Vec<Known>,
    short: Short,
}

impl Files {
    /// The data set as it lies on this machine. Files that are not in the index are opened, on `threads` threads.
    ///
    /// # Errors
    /// As [`Manifest::read`]; [`Error::Records`] where `crisscross.toml` gives no root.
    pub fn open(files: &hir::Files, site: &Site, threads: usize) -> Result<Self> {
        let manifest = Manifest::read(files, site.root(&files.name)?)?;
        let known = index::streams(&manifest, site.cache.as_deref(), threads)?;
        Ok(Self {
            manifest,
            known,
            short: files.short,
        })
    }
}

impl Files {
    /// The path of a clip below the root, with `/`.
    pub fn relative(&self, clip: usize) -> &str {
        self.manifest.file(clip)
    }

    /// Where a clip lies.
    pub fn path(&self, clip: usize) -> PathBuf {
        self.manifest.path(clip)
    }
}

impl ClipSource for Files {
    fn len(&self) -> usize {
        self.manifest.len()
    }

    fn name(&self, clip: usize) -> String {
        self.manifest.path(clip).display().to_string()
    }

    fn label(&self, clip: usize) -> Option<u32> {
        self.manifest.label(clip)
    }

    fn classes(&self) -> &[String] {
        &self.manifest.classes
    }

    fn fold(&self, clip: usize) -> Option<u32> {
        self.manifest.fold(clip)
    }

    fn streams(&self, clip: usize) -> Result<Streams> {
        self.known[clip].clone().map_err(|cause| Error::Decode {
            path: self.manifest.path(clip),
            cause,
        })
    }

    fn read(&self, clip: usize, requests: &[Request]) -> Result<Vec<Ticks>> {
        let streams = self.streams(clip)?;
        let path = self.manifest.path(clip);
        short::read(self.short, &streams, requests, &path, |requests| {
            measured(Part::Decode, || decode::read(&path, requests))
        })
    }

    fn fingerprint(&self) -> String {
        self.manifest.fingerprint()
    }
}
