//! From files, or from nothing but a seed, to batches of decoded views.

pub mod batch;
#[cfg(feature = "media")]
pub mod decode;
pub mod sampler;
pub mod source;
pub mod synthetic;
