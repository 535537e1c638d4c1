//! What can go wrong in the world, each with what, where and what to do.

use std::path::PathBuf;

/// An error that a user can act on. `Display` is one sentence, [`Error::help`] the way out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("cannot {action} `{}`: {cause}", path.display())]
    Io {
        /// `read`, `write`, `create`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// A media file could not be decoded.
    #[error("cannot decode `{}`: {cause}", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A data set is not as the experiment needs it.
    #[error("data set `{name}`: {message}")]
    Data {
        /// Its name in the experiment.
        name: String,
        /// What is wrong.
        message: String,
        /// What to do.
        help: String,
    },
    /// Too many files of a data set could not be used.
    #[error("data set `{name}`: {} of {total} files could not be read", failed.len())]
    TooManyFailures {
        /// Its name in the experiment.
        name: String,
        /// Files asked for so far.
        total: usize,
        /// The files and what was wrong with each.
        failed: Vec<(PathBuf, String)>,
    },
    /// A checkpoint or feature file is damaged or does not fit the experiment.
    #[error("`{}` cannot be used: {message}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The device asked for is not there.
    #[error("device `{device}` is not available: {message}")]
    Device {
        /// As asked for.
        device: String,
        /// Why not.
        message: String,
    },
    /// The plan asks for something that this build cannot do.
    #[error("{message}")]
    Unsupported {
        /// What, and which build or version can.
        message: String,
    },
    /// The loss became NaN or infinite.
    #[error("the loss became {value} at step {step}")]
    NotFinite {
        /// The step.
        step: u64,
        /// The value.
        value: f64,
    },
    /// Stopped by a signal; nothing that looks finished is left.
    #[error("interrupted")]
    Interrupted,
    /// libtorch refused.
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
    /// The run folders.
    #[error(transparent)]
    Records(#[from] records::Error),
}

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;
