//! `import` and `export`: the pretraining that is meant, handed to the engine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use compiler::hash;
use compiler::origins::Texts;
use compiler::plan::{Stage, StageId, Work};
use records::folder::{PLAN, RUN, Runs, checkpoint_after, read_json};
use records::record::Run;
use records::say;

use super::graph::meant;
use super::run::typed;
use super::{named, profile, site_and_runs, training};
use crate::cli::{Export, Import};
use crate::failure::{Failure, Result};
use crate::handover;
use crate::load::Reading;
use crate::render::Format;
use crate::weights::Importing;

/// Starts the engine on the files.
pub fn import(arguments: &Import) -> Result<()> {
    let reading = Reading {
        profile: profile(arguments.toy),
        set: &arguments.above.set,
    };
    let asked = Meant::read(&arguments.pretraining, reading, "can have weights")?;
    let Work::Pretrain(work) = &asked.stage.work else {
        unreachable!("weights: a pretraining is meant")
    };
    if work.settings.ep == 0 {
        let message = format!(
            "`{}` trains no epoch (`ep = 0`): it is random weights",
            asked.name
        );
        return Err(Failure::misuse(message).help("name a pretraining that is trained"));
    }
    if let Some(missing) = arguments.files.iter().find(|file| !file.is_file()) {
        let shown = missing.display();
        return Err(match missing.is_dir() {
            true => Failure::new(format!("`{shown}` is a folder"))
                .help("name the file of weights in it"),
            false => Failure::new(format!("there is no file `{shown}`"))
                .help("check the path; it is relative to the folder you are in"),
        });
    }
    let place = &arguments.place;
    let (_, runs) = site_and_runs(place.site.as_deref(), place.runs.as_deref())?;
    let importing = Importing {
        stage: asked.stage,
        name: asked.name,
        runs,
        toy: arguments.toy,
        set: asked.set,
        network: arguments.network.clone(),
        dry_run: arguments.dry_run,
        json: arguments.format == Format::Json,
        command: typed(),
    };
    let mut command: Vec<OsString> = vec!["import".into(), "--".into()];
    command.extend(arguments.files.iter().map(OsString::from));
    Err(handover::exec_with(command, &importing))
}

/// Starts the engine on a run folder.
pub fn export(arguments: &Export) -> Result<()> {
    let reading = Reading {
        profile: profile(arguments.toy),
        set: &arguments.above.set,
    };
    let place = &arguments.place;
    let (_, runs) = site_and_runs(place.site.as_deref(), place.runs.as_deref())?;
    let (folder, epoch) = weights_of(&arguments.what, reading, &runs)?;
    let epoch = arguments.epoch.or(epoch);
    let names = arguments.names.to_possible_value();
    let names = names.map_or_else(String::new, |value| value.get_name().to_owned());
    let to = arguments.to.clone().unwrap_or_else(|| {
        let network = arguments
            .network
            .as_ref()
            .map_or(String::new(), |name| format!("-{name}"));
        PathBuf::from(format!("weights-{names}{network}.safetensors"))
    });
    if to.extension().is_none_or(|ending| ending != "safetensors") {
        return Err(
            Failure::misuse(format!("`{}` is no name for safetensors", to.display()))
                .help("name a file that ends in `.safetensors`"),
        );
    }
    may_be_written(&to)?;
    let mut command: Vec<OsString> = vec![
        "export".into(),
        "--folder".into(),
        folder.into(),
        "--names".into(),
        names.into(),
        "--to".into(),
        to.into(),
    ];
    if let Some(epoch) = epoch {
        command.extend(["--epoch".into(), epoch.to_string().into()]);
    }
    if let Some(network) = &arguments.network {
        command.extend(["--network".into(), network.into()]);
    }
    Err(handover::exec(command))
}

/// Fails on a file in a run folder, where all stays as the run made it, and says which file will be replaced.
pub fn may_be_written(to: &Path) -> Result<()> {
    let is_run = |folder: &Path| folder.join(PLAN).is_file() && folder.join(RUN).is_file();
    let shown = to.display();
    if to.parent().is_some_and(is_run) {
        let message =
            format!("`{shown}` lies in a run folder, whose files stay as the run made them");
        return Err(Failure::misuse(message).help("name a file outside of it"));
    }
    if to.is_file() {
        say(&format!("note: `{shown}` will be replaced"));
    }
    Ok(())
}

/// A pretraining that was named.
pub struct Meant {
    /// As commands write it.
    pub name: String,
    /// The pretraining.
    pub stage: Stage,
    /// What the command line set above the file.
    set: Vec<String>,
    /// The epoch after which the row is scored.
    checkpoint: Option<u32>,
}

impl Meant {
    /// The pretraining that `what` means; `only` says what a pretraining or a row alone can.
    pub fn read(what: &str, reading: Reading<'_>, only: &str) -> Result<Self> {
        let (read, name) = meant(what, None, reading)?;
        read.compiled.print_warnings();
        let texts = Texts::read(&read.compiled.sources);
        let (name, experiment) = named::one_experiment(&read, &texts, &name, (what, only))?;
        let stage = Stage {
            id: hash::pretrain(experiment.pretrain),
            label: format!("{name} pretrain"),
            work: Work::Pretrain(Box::new(training(experiment.pretrain))),
        };
        Ok(Self {
            name: format!("{}{name}", read.prefix),
            stage,
            set: read.program.set.clone(),
            checkpoint: experiment.row.and_then(|(_, row)| row.checkpoint),
        })
    }
}

/// The run folder of the pretraining that `what` means, a folder or a name, and the epoch after which a row is scored.
pub fn weights_of(what: &str, reading: Reading<'_>, runs: &Path) -> Result<(PathBuf, Option<u32>)> {
    if Path::new(what).is_dir() {
        let folder = Path::new(what);
        if !folder.join(PLAN).is_file() || !folder.join(RUN).is_file() {
            return Err(Failure::misuse(format!("`{what}` is no run folder"))
                .help("name a folder `runs/pretrain-...`, or a pretraining: `FILE.cc:NAME`"));
        }
        let run: Run = read_json(&folder.join(RUN))?;
        let stage: Stage = read_json(&folder.join(PLAN))?;
        return match stage.work {
            Work::Pretrain(_) => Ok((folder.to_owned(), None)),
            Work::Extract(_) | Work::Finetune(_) | Work::Score(_) | Work::Draw(_) => {
                Err(Failure::misuse(format!(
                    "`{what}` is a {}, and has no weights of a pretraining",
                    run.kind.name()
                ))
                .help("name the run folder of its pretraining: `runs/pretrain-...`"))
            }
        };
    }
    let asked = Meant::read(what, reading, "have weights")?;
    match Runs::at(runs).find(&asked.stage.id)? {
        Some(finished) => {
            if let Some(epoch) = asked.checkpoint
                && !finished.path.join(checkpoint_after(epoch)).is_file()
            {
                return Err(Failure::new(format!(
                    "`{}` did not keep its state after {epoch}ep",
                    finished.path.display()
                ))
                .help("`crisscross run` makes it"));
            }
            Ok((finished.path, asked.checkpoint))
        }
        None => Err(lacking(&asked.name, &asked.stage.id, runs)),
    }
}

fn lacking(name: &str, id: &StageId, runs: &Path) -> Failure {
    Failure::new(format!(
        "`{name}` ({}) is not trained in `{}`",
        id.short(),
        runs.display()
    ))
    .help("`crisscross run` trains it, `crisscross import` takes its weights from elsewhere; `--runs DIR` names another folder")
}
