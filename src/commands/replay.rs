//! `replay`: hands a kept step, or a step of a run, to the engine.

use std::ffi::OsString;

use records::folder::{PLAN, RUN};

use crate::cli::Replay;
use crate::commands::site_and_runs;
use crate::failure::{Failure, Result};
use crate::handover;

/// Starts the engine on the step.
pub fn replay(arguments: &Replay) -> Result<()> {
    let folder = &arguments.folder;
    let shown = folder.display();
    if !folder.join(PLAN).is_file() {
        return Err(
            Failure::misuse(format!("`{shown}` keeps no step and is no run folder"))
                .help("name a folder `runs/failed-...`, or a run folder with `--step N`"),
        );
    }
    let is_run = folder.join(RUN).is_file();
    if is_run && arguments.step.is_none() {
        return Err(
            Failure::misuse(format!("`{shown}` is a run folder with many steps"))
                .help("say which: `--step N`, counted from 0"),
        );
    }
    if !is_run && arguments.step.is_some() {
        return Err(Failure::misuse(format!("`{shown}` keeps one step"))
            .help("leave `--step` out, or name the folder of a run"));
    }
    let (site, _) = site_and_runs(arguments.site.as_deref(), None)?;
    let mut command: Vec<OsString> = vec!["replay".into(), "--folder".into(), folder.into()];
    if let Some(step) = arguments.step {
        command.extend(["--step".into(), step.to_string().into()]);
    }
    if arguments.anomaly {
        command.push("--anomaly".into());
    }
    command.extend(arguments.machine.arguments());
    if let Some(file) = site.file {
        command.extend(["--site".into(), file.into()]);
    }
    Err(handover::exec(command))
}
