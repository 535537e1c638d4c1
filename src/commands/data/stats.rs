//! `data stats`: what data sets hold, and how many clips each row of files can use.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::cli::DataStats;
use crate::commands::plan::plan_of;
use crate::failure::{Failure, Result};
use crate::handover;
use crate::render::Format;

/// Hands the names, or the plan of the files, to the engine.
pub fn stats(arguments: &DataStats) -> Result<()> {
    let is_file = |what: &&String| Path::new(what).extension().is_some_and(|end| end == "cc");
    let (files, names): (Vec<&String>, Vec<&String>) = arguments.what.iter().partition(is_file);
    let mut command: Vec<OsString> = vec!["data-stats".into()];
    if arguments.format == Format::Json {
        command.push("--json".into());
    }
    if let Some(site) = &arguments.site {
        command.extend(["--site".into(), site.into()]);
    }
    if files.is_empty() {
        command.push("--".into());
        command.extend(names.iter().map(OsString::from));
        return Err(handover::exec(command));
    }
    if !names.is_empty() {
        return Err(
            Failure::misuse("names of data sets and files stand side by side")
                .help("ask for the one, then for the other"),
        );
    }
    let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
    let plan = plan_of(&files, arguments.toy, &arguments.above.set, &[])?;
    command.push("--plan".into());
    Err(handover::exec_with(command, &plan))
}
