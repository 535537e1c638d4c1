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
#[cfg(feature = "media")]
mod index;
pub mod loader;
pub mod look;
pub mod manifest;
pub mod order;
mod ordered;
pub mod reader;
mod reading;
pub mod sampler;
pub mod source;
pub mod synthetic;
#[cfg(all(test, feature = "media"))]
mod tests;
mod views;

use crate::error::Result;
use compiler::hir::Data;
use records::site::Site;
use source::ClipSource;
use std::sync::Arc;

/// The clips of a data set as they are on this machine. Files that were not seen before are opened once, on `threads` threads.
///
/// # Errors
/// [`crate::error::Error::Data`] or [`crate::error::Error::Records`] where the set is not as the experiment needs it;
/// [`crate::error::Error::Unsupported`] for files in a build that does not decode.
pub fn open(data: &Data, site: &Site, threads: usize) -> Result<Arc<dyn ClipSource>> {
    match data {
        Data::Synthetic(parameters) => Ok(Arc::new(synthetic::RenderedClips::new(parameters))),
        #[cfg(feature = "media")]
        Data::Videos(set) | Data::Sounds(set) => {
            Ok(Arc::new(files::Files::open(set, site, threads)?))
        }
        #[cfg(not(feature = "media"))]
        Data::Videos(set) | Data::Sounds(set) => {
            let (_, _) = (site, threads);
            Err(crate::error::Error::Unsupported {
                message: format!(
                    "data set `{}` is files, and this build does not decode them: build with the feature `media`",
                    set.name
                ),
            })
        }
    }
}
