//! `import`: files of weights as a finished pretraining.

use compiler::plan::Work;
use crisscross::render::write_out;
use crisscross::weights::Importing;
use records::folder::{CHECKPOINT, Claim, Context, Runs};
use records::record::{ClipCounts, PretrainResult};
use records::say;
use runtime::error::Error;
use runtime::ranks::Ranks;
use runtime::weights::foreign::{self, Foreign, passed_over};
use runtime::weights::import::{FileTable, NetworkTable, Table, matched};
use runtime::{device, doctor};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use tch::Device;

/// Names of each kind that are printed.
const SHOWN: usize = 6;

/// `import`; an [`Importing`] comes as JSON from standard input.
#[derive(clap::Args)]
pub struct Arguments {
    /// The files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Prints what the files hold, and makes a run folder of it.
pub fn import(arguments: &Arguments) -> Result<ExitCode, Error> {
    device::check_torch()?;
    let asked: Importing = crate::from_standard_input()?;
    let Work::Pretrain(work) = &asked.stage.work else {
        return Err(Error::Unsupported {
            message: format!("`{}` is no pretraining", asked.name),
        });
    };
    let files = arguments.files.iter().map(|path| foreign::open(path));
    let files: Vec<Foreign> = files.collect::<Result<_, _>>()?;
    let matched = matched(&work.settings, &files, asked.network.as_deref())?;
    match asked.json {
        true => write_out(&format!("{}\n", json(&matched.table))),
        false => write_out(&text(&matched.table)),
    }
    if asked.dry_run {
        let scratch = tempfile::tempdir().map_err(Error::io("create", &std::env::temp_dir()))?;
        matched.save(&scratch.path().join(CHECKPOINT))?;
        say("it can be imported; nothing was written");
        return Ok(ExitCode::SUCCESS);
    }
    let runs = Runs::open(&asked.runs)?;
    if let Some(there) = runs.find(&asked.stage.id)? {
        let is = match &there.run.imported {
            Some(_) => "was imported before",
            None => "is trained",
        };
        return Err(Error::Weights {
            path: there.path.clone(),
            message: format!("`{}` {is}: this folder holds it", asked.name),
            help: "remove the folder, or import into another: `--runs DIR`".to_owned(),
        });
    }
    // Refused before a folder is made.
    let scratch = runs.scratch()?;
    let checkpoint = scratch.path().join(CHECKPOINT);
    let imported = matched.save(&checkpoint)?;
    let context = Context {
        plan: String::new(),
        toy: asked.toy,
        set: asked.set.clone(),
        command: Some(asked.command.clone()),
        code: env!("CARGO_PKG_VERSION").to_owned(),
        environment: doctor::environment_of(Device::Cpu, &Ranks::alone())?,
    };
    let attempt = match runs.claim(&asked.stage, &context, &imported.fingerprint())? {
        Claim::Own(attempt) => *attempt,
        Claim::Made(made) => {
            say(&format!("it is there already: `{}`", made.path.display()));
            return Ok(ExitCode::SUCCESS);
        }
        Claim::Held(holder) => {
            return Err(Error::Unsupported {
                message: format!("{holder}, is importing the same"),
            });
        }
    };
    let target = attempt.path().join(CHECKPOINT);
    std::fs::rename(&checkpoint, &target).map_err(Error::io("write", &target))?;
    let finished = attempt.from_elsewhere(imported).finish(&PretrainResult {
        steps: 0,
        loss: None,
        parameters: matched.parameters(),
        clips: ClipCounts::default(),
        seconds: 0.0,
        data_wait: None,
        data_cpu: None,
        data_samples: None,
        loader_samples_per_s: None,
        overlaps: BTreeMap::new(),
    })?;
    say(&format!(
        "imported as `{}` ({}): `{}`; what asks for this pretraining evaluates these weights from now on",
        asked.name,
        asked.stage.id.short(),
        finished.path.display()
    ));
    Ok(ExitCode::SUCCESS)
}

fn json(table: &Table) -> String {
    serde_json::to_string_pretty(table).expect("tables are plain data")
}

/// The table for people.
fn text(table: &Table) -> String {
    let mut lines = vec![];
    for file in &table.files {
        lines.push(of_file(file));
    }
    let widest = table
        .networks
        .iter()
        .map(|n| n.network.len())
        .max()
        .unwrap_or(0)
        .max(7);
    lines.push(format!(
        "{:<widest$}  {:>7}  {:>7}  {:>11}  from",
        "network", "matched", "missing", "other shape"
    ));
    for network in &table.networks {
        lines.push(row(network, widest));
    }
    for network in table
        .networks
        .iter()
        .filter(|network| network.file.is_some())
    {
        lines.extend(listed("missing", network.missing.iter().cloned()));
        let other = network.other_shape.iter();
        lines.extend(listed(
            "other shape",
            other.map(|o| format!("{} {:?}, not {:?}", o.name, o.found, o.needed)),
        ));
        if network.counters > 0 {
            lines.push(format!(
                "{}: {} counters of BatchNorm are not in the file and begin at 0; no evaluation reads them",
                network.network, network.counters
            ));
        }
        if let Some(kind) = &network.converted {
            lines.push(format!(
                "{}: numbers of type {kind} are converted",
                network.network
            ));
        }
    }
    for file in &table.files {
        let unused = file.unused.iter();
        lines.extend(listed(
            "unused",
            unused.map(|(name, shape)| format!("{name} {shape:?}")),
        ));
    }
    lines.join("\n") + "\n"
}

fn of_file(file: &FileTable) -> String {
    let repeated = match file.repeated {
        0 => String::new(),
        count => format!(", {count} of them twice"),
    };
    format!(
        "{}: {} tensors{repeated}, {}, names of {}{}",
        file.file,
        file.tensors,
        file.container,
        file.names,
        passed_over(&file.objects)
    )
}

fn row(network: &NetworkTable, widest: usize) -> String {
    let name = &network.network;
    match &network.file {
        None => format!(
            "{name:<widest$}  {:>7}  {:>7}  {:>11}  no file",
            "-", "-", "-"
        ),
        Some(file) => format!(
            "{name:<widest$}  {:>7}  {:>7}  {:>11}  {file}",
            network.matched,
            network.missing.len(),
            network.other_shape.len()
        ),
    }
}

/// Some of the names, and how many more there are.
fn listed(what: &str, names: impl Iterator<Item = String>) -> Vec<String> {
    let names: Vec<String> = names.collect();
    let mut lines: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("{what}: {name}"))
        .collect();
    if names.len() > SHOWN {
        lines.push(format!(
            "{what}: {} more (`--format json` lists all)",
            names.len() - SHOWN
        ));
    }
    lines
}
