//! What a run reads and leaves on this machine: the site file, run folders and reports. No tensors.

mod error;
pub mod folder;
pub mod record;
pub mod report;
pub mod site;

#[cfg(test)]
mod fixture;

pub use error::{Error, Result};
