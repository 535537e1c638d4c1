//! `data links`: pages on augmentations with pictures.

use std::ffi::OsString;

use crate::cli::DataLinks;
use crate::failure::{Failure, Result};
use crate::handover;
use crate::shown::Links;

/// Hands the pages to the engine, which draws their pictures.
pub fn links(arguments: &DataLinks) -> Result<()> {
    if arguments.out.is_file() {
        let message = format!("`{}` is a file", arguments.out.display());
        return Err(Failure::misuse(message).help("name a folder for the pages: `--out DIR`"));
    }
    let links = Links {
        pages: compiler::links::pages(),
        pictures: compiler::links::pictures(),
    };
    let mut command: Vec<OsString> = vec!["data-links".into()];
    command.extend(["--out".into(), OsString::from(&arguments.out)]);
    for clip in &arguments.clip {
        command.extend(["--clip".into(), clip.into()]);
    }
    Err(handover::exec_with(command, &links))
}
