//! `replay`: hands a kept step, or a step of a run, to the engine.

use std::ffi::OsString;
use std::path::Path;

use compiler::plan::{Stage, Work};
use records::folder::{PLAN, RUN, read_json};
use records::record::Run;

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
                .help(can_be_replayed(folder)),
        );
    }
    let stage: Stage = read_json(&folder.join(PLAN))?;
    if !matches!(stage.work, Work::Pretrain(_)) {
        return Err(Failure::new(format!(
            "`{shown}` is the folder of `{}`, which trains no networks by steps",
            stage.label
        ))
        .help(can_be_replayed(folder)));
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
    if is_run && read_json::<Run>(&folder.join(RUN))?.imported.is_some() {
        return Err(Failure::new(format!(
            "the weights in `{shown}` were imported: no step of them was taken here"
        ))
        .help("name the run folder of a pretraining that was trained"));
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

/// What can be replayed instead of `folder`, such as lies beside it.
fn can_be_replayed(folder: &Path) -> String {
    let beside = folder.parent().and_then(|parent| parent.read_dir().ok());
    let mut names: Vec<_> = beside
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.join(PLAN).is_file())
        .collect();
    names.sort();
    let such = |prefix: &str| {
        let is_such = |path: &&std::path::PathBuf| {
            let name = path.file_name().unwrap_or_default();
            name.to_string_lossy().starts_with(prefix)
        };
        let found = names.iter().find(is_such);
        found.map_or(String::new(), |path| {
            format!(", such as `{}`", path.display())
        })
    };
    format!(
        "name a kept step, a folder `failed-...`{}, or the run folder of a pretraining with `--step N`{}",
        such("failed-"),
        such("pretrain-")
    )
}
