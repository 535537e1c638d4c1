//! From files, or from nothing but a seed, to batches of decoded views.

pub mod admission;
pub mod batch;
pub mod bench;
#[cfg(feature = "media")]
pub mod check;
#[cfg(feature = "media")]
pub mod decode;
mod decoded;
#[cfg(feature = "media")]
pub mod files;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod index;
mod joined;
pub mod loader;
pub mod look;
pub mod manifest;
pub mod moments;
pub mod order;
mod ordered;
pub mod overlaps;
pub mod prefetch;
pub mod reader;
pub(crate) mod reading;
pub mod sampler;
pub mod shards;
mod short;
pub mod source;
pub mod stats;
pub mod synthetic;
#[cfg(all(test, feature = "media"))]
mod tests;
mod views;

use crate::error::Result;
use compiler::hir::{self, Data};
use records::site::Site;
use source::ClipSource;
use std::sync::Arc;

/// The clips of a data set as they are on this machine. Files that were not seen before are opened once, on `threads` threads.
///
/// # Errors
/// [`crate::error::Error::Data`] or [`crate::error::Error::Records`] where the set is not as the experiment needs it;
/// [`crate::error::Error::Unsupported`] for files in a build that does not decode; shards are read by every build.
pub fn open(data: &Data, site: &Site, threads: usize) -> Result<Arc<dyn ClipSource>> {
    let set = match data {
        Data::Synthetic(parameters) => {
            return Ok(Arc::new(synthetic::RenderedClips::new(parameters)));
        }
        Data::Videos(set) | Data::Sounds(set) => set,
    };
    let root = &site.root(&set.name)?.root;
    if shards::is_packed(root) {
        return Ok(Arc::new(shards::Shards::open(set, root)?));
    }
    open_files(set, site, threads)
}

/// What is listed of a data set of files or shards, and the fingerprint of its files; none is opened.
///
/// # Errors
/// As [`open`].
pub fn listed(set: &hir::Files, site: &Site) -> Result<(manifest::Manifest, String)> {
    let root = &site.root(&set.name)?.root;
    if shards::is_packed(root) {
        let shards = shards::Shards::open(set, root)?;
        return Ok((shards.manifest(), shards.fingerprint()));
    }
    index::manifest(index::Wanted::Declared(set), site)
}

/// The clips of the data set `name` of the site as it lies there: its classes and splits are those that its folders or lists show, if any.
/// Files that are shorter than a window follow the rule `short`.
///
/// # Errors
/// As [`open`].
pub fn open_found(
    name: &str,
    short: hir::Short,
    site: &Site,
    threads: usize,
) -> Result<Arc<dyn ClipSource>> {
    let root = &site.root(name)?.root;
    if shards::is_packed(root) {
        let set = hir::Files {
            short,
            ..shards::undeclared(name)
        };
        return Ok(Arc::new(shards::Shards::open(&set, root)?));
    }
    found_files(name, short, site, threads)
}

#[cfg(feature = "media")]
fn found_files(
    name: &str,
    short: hir::Short,
    site: &Site,
    threads: usize,
) -> Result<Arc<dyn ClipSource>> {
    Ok(Arc::new(files::Files::found(name, short, site, threads)?))
}

#[cfg(not(feature = "media"))]
fn found_files(
    name: &str,
    _short: hir::Short,
    _site: &Site,
    _threads: usize,
) -> Result<Arc<dyn ClipSource>> {
    Err(undecoded(name))
}

#[cfg(feature = "media")]
fn open_files(set: &hir::Files, site: &Site, threads: usize) -> Result<Arc<dyn ClipSource>> {
    Ok(Arc::new(files::Files::open(set, site, threads)?))
}

#[cfg(not(feature = "media"))]
fn open_files(set: &hir::Files, _site: &Site, _threads: usize) -> Result<Arc<dyn ClipSource>> {
    Err(undecoded(&set.name))
}

#[cfg(not(feature = "media"))]
fn undecoded(name: &str) -> crate::error::Error {
    crate::error::Error::Unsupported {
        message: format!(
            "data set `{name}` is files, and this build does not decode them: build with the feature `media`, or pack it with such a \
             build (`crisscross data pack {name}`)"
        ),
    }
}
