//! What `crisscross import` and `features` ask the engine to do.

use compiler::hir;
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

/// Clips, and what is made of them.
#[derive(Debug, Serialize, Deserialize)]
pub struct Featuring {
    /// The run folder of the weights.
    pub weights: PathBuf,
    /// After this epoch; `None` at the end.
    pub epoch: Option<u32>,
    /// The protocol whose clip and chain of features are used; its data set is not looked at.
    pub eval: hir::Eval,
    /// What it was called.
    pub name: String,
    /// A data set of the site file, or a folder.
    pub data: String,
    /// The clips of training, augmented, in place of those of testing.
    pub augmented: bool,
}
