//! `bench`: what work costs on this machine.

use std::ffi::OsString;
use std::sync::Arc;

use compiler::origins::Texts;
use compiler::passes;

use super::graph::{meant, pass};
use super::named;
use super::{profile, site_and_runs, training};
use crate::cli::{Bench, BenchData, BenchStep, UpTo};
use crate::failure::Result;
use crate::handover;
use crate::load::Reading;
use crate::render::Format;

/// Hands the work to the engine.
pub fn bench(arguments: &Bench) -> Result<()> {
    match arguments {
        Bench::Data(arguments) => data(arguments),
        Bench::Step(arguments) => step(arguments),
    }
}

/// Hands the pretraining of the row that is asked for, or of the first, to the engine.
fn data(arguments: &BenchData) -> Result<()> {
    let reading = Reading {
        profile: profile(arguments.toy),
        set: &arguments.above.set,
    };
    let (read, name) = meant(&arguments.what, arguments.row.as_deref(), reading)?;
    read.compiled.print_warnings();
    let texts = Texts::read(&read.compiled.sources);
    let asked = (arguments.what.as_str(), "have batches");
    let (name, experiment) = named::one_experiment(&read, &texts, &name, asked)?;
    let work = training(experiment.pretrain);
    let (site, _) = site_and_runs(arguments.site.as_deref(), None)?;
    let mut command: Vec<OsString> = vec![
        "bench-data".into(),
        "--name".into(),
        name.into(),
        "--batches".into(),
        arguments.batches.to_string().into(),
        "--repetitions".into(),
        arguments.repetitions.to_string().into(),
    ];
    if let Some(threads) = arguments.threads {
        command.extend(["--threads".into(), threads.to_string().into()]);
    }
    if arguments.up_to == UpTo::Raw {
        command.push("--raw".into());
    }
    if arguments.format == Format::Json {
        command.push("--json".into());
    }
    if let Some(file) = site.file {
        command.extend(["--site".into(), file.into()]);
    }
    Err(handover::exec_with(command, &work))
}

/// Hands the pretraining of the row that is asked for, or of the first, to the engine, with the passes that are asked for.
fn step(arguments: &BenchStep) -> Result<()> {
    let also = arguments.pass.iter().map(|name| pass(name));
    let also = also.collect::<Result<Vec<_>>>()?;
    let mut set = arguments.above.set.clone();
    let precision = arguments.precision.as_ref();
    set.extend(precision.map(|precision| format!("precision={precision}")));
    let reading = Reading {
        profile: profile(arguments.toy),
        set: &set,
    };
    let (read, name) = meant(&arguments.what, arguments.row.as_deref(), reading)?;
    read.compiled.print_warnings();
    let texts = Texts::read(&read.compiled.sources);
    let asked = (arguments.what.as_str(), "take steps");
    let (name, experiment) = named::one_experiment(&read, &texts, &name, asked)?;
    let mut work = training(experiment.pretrain);
    let (steps, _) = passes::build_with(&work.settings, &passes::selection(&also));
    work.steps = Arc::new(steps.steps());
    let (site, _) = site_and_runs(arguments.site.as_deref(), None)?;
    let mut command: Vec<OsString> = vec![
        "bench-step".into(),
        "--name".into(),
        name.into(),
        "--steps".into(),
        arguments.steps.to_string().into(),
        "--warm-up".into(),
        arguments.warm_up.to_string().into(),
    ];
    command.extend(arguments.machine.arguments());
    if let Some(graph) = arguments.cuda_graph {
        command.extend(["--cuda-graph".into(), graph.name().into()]);
    }
    if let Some(threads) = arguments.threads {
        command.extend(["--threads".into(), threads.to_string().into()]);
    }
    if arguments.no_peak {
        command.push("--no-peak".into());
    }
    if arguments.format == Format::Json {
        command.push("--json".into());
    }
    if let Some(file) = site.file {
        command.extend(["--site".into(), file.into()]);
    }
    Err(handover::exec_with(command, &work))
}
