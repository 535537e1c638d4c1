//! What a run reads and leaves on this machine: the site file, run folders and reports. No tensors.

mod attempt;
mod error;
pub mod estimate;
pub mod events;
pub mod folder;
pub mod launch;
pub mod points;
pub mod record;
pub mod report;
pub mod site;

#[cfg(test)]
mod fixture;

pub use error::{Error, Result};

/// Writes a line to standard error. One that nobody reads, closed or on a full disk, must not end a training.
pub fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
