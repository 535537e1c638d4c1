//! `crisscross-engine`: runs plans. People type `crisscross`, which starts it.

mod bench_data;
mod bench_step;
#[cfg(feature = "media")]
mod data_check;
#[cfg(feature = "media")]
mod data_index;
mod data_links;
#[cfg(feature = "media")]
mod data_pack;
mod data_show;
mod data_stats;
mod export;
mod features;
mod figures;
mod gpu_check;
mod import;
mod local;
mod machine;
mod meeting;
mod replay;
mod run;
mod signals;
mod smoke;

use clap::{Parser, Subcommand};
use crisscross::cli::Machine;
use crisscross::render::write_out;
use records::say;
use records::site::Site;
use runtime::doctor;
use runtime::error::Error;
use std::panic::{catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Runs plans of `crisscross`. It knows plans, not `.cc` files.
#[derive(Parser)]
#[command(name = "crisscross-engine", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes what is not there yet of a plan, and prints its tables.
    Run(run::Arguments),
    /// Decodes files from end to end and says what is in them.
    #[cfg(feature = "media")]
    DataCheck(data_check::Arguments),
    /// Writes the pages on augmentations with their pictures.
    DataLinks(data_links::Arguments),
    /// Packs the files of a data set into tar shards.
    #[cfg(feature = "media")]
    DataPack(data_pack::Arguments),
    /// Lists data sets and keeps what is found in their files.
    #[cfg(feature = "media")]
    DataIndex(data_index::Arguments),
    /// Says what data sets hold and what experiments can use of them.
    DataStats(data_stats::Arguments),
    /// Draws samples as a training step gets them.
    DataShow(data_show::Arguments),
    /// Runs one step of a pretraining again.
    Replay(replay::Arguments),
    /// Makes batches of a pretraining and says what they cost.
    BenchData(bench_data::Arguments),
    /// Takes training steps of a pretraining on noise and says what they cost.
    BenchStep(bench_step::Arguments),
    /// Makes a finished pretraining of files of weights.
    Import(import::Arguments),
    /// Writes the weights of a run with other names.
    Export(export::Arguments),
    /// Writes what a trained backbone makes of clips.
    Features(features::Arguments),
    /// Checks a device in parts.
    GpuCheck(gpu_check::Arguments),
    /// Says what this engine has and what it lacks.
    Doctor {
        /// The site file.
        #[arg(long)]
        site: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    crisscross::failure::own_up_to_panics();
    let command = Arguments::parse().command;
    let done = catch_unwind(|| execute(command));
    let done = done.unwrap_or_else(|panic| match Error::of_panic(panic) {
        Ok(error) => Err(error),
        // It has been owned up to.
        Err(panic) => resume_unwind(panic),
    });
    done.unwrap_or_else(|error| {
        say(&format!("error: {}", error.in_full()));
        ExitCode::FAILURE
    })
}

fn execute(command: Command) -> Result<ExitCode, Error> {
    match command {
        Command::Run(arguments) => run::run(&arguments),
        #[cfg(feature = "media")]
        Command::DataCheck(arguments) => data_check::check_data(&arguments),
        Command::DataLinks(arguments) => data_links::links(&arguments),
        #[cfg(feature = "media")]
        Command::DataPack(arguments) => data_pack::pack(&arguments),
        #[cfg(feature = "media")]
        Command::DataIndex(arguments) => data_index::index_data(&arguments),
        Command::DataStats(arguments) => data_stats::stats(&arguments),
        Command::DataShow(arguments) => data_show::show(&arguments),
        Command::Replay(arguments) => replay::replay(&arguments),
        Command::BenchData(arguments) => bench_data::bench_data(&arguments),
        Command::BenchStep(arguments) => bench_step::bench_step(&arguments),
        Command::Import(arguments) => import::import(&arguments),
        Command::Export(arguments) => export::export(&arguments),
        Command::Features(arguments) => features::features(&arguments),
        Command::GpuCheck(arguments) => gpu_check::check(&arguments),
        Command::Doctor { site } => examine(site.as_deref()),
    }
}

/// Threads that decode: as asked for, as the site file says, or one for each core.
fn threads(asked: Option<usize>, site: &Site) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = asked.or(site.loader_threads).unwrap_or_else(cores);
    threads.max(1)
}

/// What `crisscross` hands over beside the arguments.
fn from_standard_input<T: serde::de::DeserializeOwned>() -> Result<T, Error> {
    serde_json::from_reader(std::io::stdin().lock()).map_err(|cause| Error::Unsupported {
        message: format!(
            "what stands on standard input is not for this engine: {cause}; use `crisscross` and `crisscross-engine` of one version"
        ),
    })
}

fn site(file: Option<&Path>) -> Result<Site, Error> {
    let here = std::env::current_dir().map_err(Error::io("read", Path::new(".")))?;
    Ok(Site::load(file, &here)?)
}

/// Prints what the engine finds; the data roots are printed by `crisscross`.
fn examine(site_file: Option<&Path>) -> Result<ExitCode, Error> {
    let mut lines = doctor::report();
    let settled = machine::settle(&Machine::default(), None, &site(site_file)?, None);
    let state = match &settled {
        Ok(device) => doctor::environment(*device)?.device,
        Err(error) => format!("none: {error}"),
    };
    lines.push(format!("{:<13}{state}", "device"));
    if let Ok(device) = settled {
        lines.extend(doctor::arithmetic(device)?);
    }
    write_out(&(lines.join("\n") + "\n"));
    Ok(ExitCode::SUCCESS)
}
