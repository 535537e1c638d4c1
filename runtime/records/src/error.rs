//! What can go wrong with the files of this crate.

use std::path::{Path, PathBuf};

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
    /// A picture could not be drawn.
    #[error("cannot draw a picture: {message}")]
    Picture {
        /// What is wrong with it.
        message: String,
    },
}

impl Error {
    /// For `map_err`: `action` on `path` failed.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_owned();
        move |cause| Error::Io {
            action,
            path,
            cause,
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Error::Io {
                action,
                cause,
                path,
            } => io_help(action, cause.kind(), path),
            Error::Content { help, .. } => help.clone(),
            Error::Picture { .. } => {
                "the SVG form of it needs no drawing: open it in a browser".to_owned()
            }
        }
    }
}

#[allow(clippy::wildcard_enum_match_arm)] // `ErrorKind` is not ours and grows
fn io_help(action: &str, kind: std::io::ErrorKind, path: &Path) -> String {
    use std::io::ErrorKind as Kind;
    match kind {
        Kind::Unsupported if action == "lock" => {
            "mount that file system with locks (`flock`), or choose another folder with `--runs`: without them two processes would make one \
             stage"
                .to_owned()
        }
        Kind::StorageFull | Kind::QuotaExceeded => {
            "make room on that disk, or choose another folder with `--runs` or `--out`; what is finished is kept".to_owned()
        }
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => {
            "allow this user to write there, or choose another folder with `--runs` or `--out`".to_owned()
        }
        Kind::NotFound => {
            // What is to be written need not be there, but its folder.
            let folder = path.parent().filter(|_| action != "read");
            format!("check that `{}` exists", folder.unwrap_or(path).display())
        }
        _ => "check the disk and the path, then run the same command again; what is finished is kept".to_owned(),
    }
}

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;
