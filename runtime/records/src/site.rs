//! `crisscross.toml`: what is local to this machine. Nothing in it changes a result.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The site file, with defaults where it is silent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Site {
    /// Where the data sets lie, by the name that the experiments use.
    pub data: BTreeMap<String, DataRoot>,
    /// `cpu`, `cuda`, `cuda:1`; without it CUDA where there is one.
    pub device: Option<String>,
    /// Threads that decode; without it one for each core.
    pub loader_threads: Option<usize>,
    /// Where run folders are kept; `runs` beside the site file by default.
    pub runs: Option<PathBuf>,
    /// Where indexes of data sets are kept.
    pub cache: Option<PathBuf>,
    /// The share of files that may be undecodable before a run stops; 0.05 by default.
    pub max_bad_share: Option<f64>,
}

/// One data set on this machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataRoot {
    /// The folder, relative to the site file or absolute.
    pub root: PathBuf,
    /// A CSV in it with a header: `file`, the label column, and `fold` or `split`. Without it, a folder is a class.
    #[serde(default)]
    pub csv: Option<PathBuf>,
}
