//! `doctor`: what this machine has and what it lacks.

use std::ffi::OsString;

use super::site_and_runs;
use crate::cli::Doctor;
use crate::failure::Result;
use crate::handover;
use crate::render::write_out;

/// Prints what can be told without the tensor library, then lets the engine go on.
pub fn doctor(arguments: &Doctor) -> Result<()> {
    let (site, runs) = site_and_runs(arguments.site.as_deref(), None)?;
    let mut lines = vec![format!("crisscross   {}", env!("CARGO_PKG_VERSION"))];
    match &site.file {
        Some(file) => lines.push(format!("site file    {}", file.display())),
        None => lines.push(format!(
            "site file    none; copy `crisscross.example.toml` to `{}` to name data roots",
            records::site::FILE
        )),
    }
    lines.push(format!("runs         {}", runs.display()));
    for (name, entry) in &site.data {
        let state = if entry.root.is_dir() {
            ""
        } else {
            "   missing: correct `root`, or mount the disk it is on"
        };
        lines.push(format!("data {name:<8}{}{state}", entry.root.display()));
    }
    write_out(&(lines.join("\n") + "\n"));
    let mut command: Vec<OsString> = vec!["doctor".into()];
    if let Some(file) = site.file {
        command.extend(["--site".into(), file.into()]);
    }
    Err(handover::exec(command))
}
