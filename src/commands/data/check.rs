//! `data check`: every file decoded from end to end.

use std::ffi::OsString;

use crate::cli::DataCheck;
use crate::failure::Result;
use crate::handover;
use crate::render::Format;

/// Hands the names and paths to the engine.
pub fn check(arguments: &DataCheck) -> Result<()> {
    let mut command: Vec<OsString> = vec!["data-check".into()];
    if arguments.format == Format::Json {
        command.extend(["--format".into(), "json".into()]);
    }
    if let Some(site) = &arguments.site {
        command.extend(["--site".into(), site.into()]);
    }
    // What follows are names and paths, even where they begin with a dash.
    command.push("--".into());
    command.extend(arguments.what.iter().map(OsString::from));
    Err(handover::exec(command))
}
