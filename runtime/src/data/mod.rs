//! From files, or from nothing but a seed, to batches of decoded views.

pub mod admission;
pub mod batch;
#[cfg(feature = "media")]
pub mod decode;
#[cfg(feature = "media")]
pub mod files;
#[cfg(test)]
mod fixtures;
#[cfg(feature = "media")]
mod index;
pub mod loader;
pub mod manifest;
mod ordered;
pub mod reader;
pub mod sampler;
pub mod source;
pub mod synthetic;
#[cfg(all(test, feature = "media"))]
mod tests;
