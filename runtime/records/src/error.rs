//! What can go wrong with the files of this crate.

use std::path::PathBuf;

/// An error that a user can act on.
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
    /// A file of ours does not say what it should.
    #[error("`{}`: {message}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column where there are any.
        message: String,
        /// What to do.
        help: String,
    },
}

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;
