//! From files, or from nothing but a seed, to batches of decoded views.

pub mod batch;
pub mod source;
