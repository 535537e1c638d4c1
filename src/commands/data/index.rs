//! `data index`: what is new in data sets is looked at and kept.

use std::ffi::OsString;

use crate::cli::DataIndex;
use crate::failure::Result;
use crate::handover;

/// Hands the names to the engine.
pub fn index(arguments: &DataIndex) -> Result<()> {
    let mut command: Vec<OsString> = vec!["data-index".into()];
    if arguments.all {
        command.push("--all".into());
    }
    if let Some(site) = &arguments.site {
        command.extend(["--site".into(), site.into()]);
    }
    command.push("--".into());
    command.extend(arguments.names.iter().map(OsString::from));
    Err(handover::exec(command))
}
