//! `data`: the engine opens and decodes files.

use std::ffi::OsString;

use crate::cli::Data;
use crate::failure::Result;
use crate::handover;
use crate::render::Format;

/// Hands the look at data sets to the engine.
pub fn data(arguments: &Data) -> Result<()> {
    let Data::Check(arguments) = arguments;
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
