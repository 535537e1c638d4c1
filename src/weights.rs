//! What `crisscross import` asks the engine to do.

use compiler::plan::Stage;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Files of weights, and the pretraining that they are to be.
#[derive(Debug, Serialize, Deserialize)]
pub struct Importing {
    /// The pretraining.
    pub stage: Stage,
    /// What it was called.
    pub name: String,
    /// The folder of run folders.
    pub runs: PathBuf,
    /// It is of the toy profile.
    pub toy: bool,
    /// What the command line set above the file.
    pub set: Vec<String>,
    /// The network of names that do not say theirs.
    pub network: Option<String>,
    /// Only say what would be imported.
    pub dry_run: bool,
    /// One JSON object instead of a text.
    pub json: bool,
    /// What was typed.
    pub command: String,
}
