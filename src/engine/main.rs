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
mod replay;

use clap::{Parser, Subcommand};
use compiler::plan::Plan;
use crisscross::render::write_out;
use records::folder::read_json;
use records::report::{Format, report_of};
use records::say;
use records::site::Site;
use runtime::error::Error;
use runtime::stages::{self, Outcome};
use runtime::{device, doctor};
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

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
    Run(Run),
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
    /// Says what this engine has and what it lacks.
    Doctor {
        /// The site file.
        #[arg(long)]
        site: Option<PathBuf>,
    },
}

#[derive(clap::Args)]
struct Run {
    /// The plan, as `crisscross plan --format json` prints it.
    #[arg(long)]
    plan: PathBuf,
    /// The folder of run folders.
    #[arg(long)]
    runs: PathBuf,
    /// `cpu`, `cuda` or `cuda:N`.
    #[arg(long)]
    device: Option<String>,
    /// Threads that decode and augment.
    #[arg(long)]
    loader_threads: Option<usize>,
    /// Trainings one after another.
    #[arg(long)]
    no_gang: bool,
    /// The site file.
    #[arg(long)]
    site: Option<PathBuf>,
    /// What was typed, for people who read the run folders.
    #[arg(long)]
    command: Option<String>,
}

fn main() -> ExitCode {
    crisscross::failure::own_up_to_panics();
    let done = match Arguments::parse().command {
        Command::Run(arguments) => run(&arguments),
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
        Command::Doctor { site } => examine(site.as_deref()),
    };
    done.unwrap_or_else(|error| {
        say(&format!("error: {}", error.in_full()));
        ExitCode::FAILURE
    })
}

/// Makes the stages of a plan. Exit codes: 0 all is there; 1 something failed; 130, 138 and 143 after SIGINT, SIGUSR1 and SIGTERM.
fn run(arguments: &Run) -> Result<ExitCode, Error> {
    let (stop, signal) = watch_signals()?;
    device::check_torch()?;
    let plan: Plan = read_json(&arguments.plan)?;
    let site = site(arguments.site.as_deref())?;
    let device_name = arguments.device.as_deref().or(site.device.as_deref());
    let options = stages::Options {
        runs: &arguments.runs,
        site: &site,
        device: doctor::device_or_best(device_name)?,
        loader_threads: threads(arguments.loader_threads, &site),
        command: arguments.command.as_deref(),
        gang: !arguments.no_gang,
        stop: &stop,
    };
    match stages::run(&plan, &options) {
        Ok(outcome) => {
            if !outcome.finished.is_empty() {
                let tables = report_of(&plan, &outcome.finished)?;
                write_out(&tables.render(Format::Text));
            }
            Ok(summarise(&outcome))
        }
        Err(Error::Interrupted) => {
            say("interrupted: the same command goes on from here");
            Ok(ExitCode::from(128 + signal.load(Ordering::Relaxed) as u8))
        }
        Err(error) => Err(error),
    }
}

/// Threads that decode: as asked for, as the site file says, or one for each core.
fn threads(asked: Option<usize>, site: &Site) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = asked.or(site.loader_threads).unwrap_or_else(cores);
    threads.max(1)
}

/// Says which stages failed or were left, after the tables. The reasons have been printed.
fn summarise(outcome: &Outcome) -> ExitCode {
    if outcome.failed.is_empty() && outcome.unfit.is_empty() {
        return ExitCode::SUCCESS;
    }
    let quoted = |names: Vec<&str>| -> String {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    let done = outcome.finished.len();
    let all = done + outcome.failed.len() + outcome.left;
    let mut parts = vec![format!("{done} of {all} stages are done")];
    if !outcome.unfit.is_empty() {
        let names = outcome.unfit.iter().map(String::as_str).collect();
        parts.push(format!("data sets to mend: {}", quoted(names)));
    }
    if !outcome.failed.is_empty() {
        let labels = outcome.failed.iter().map(|(label, _)| label.as_str());
        parts.push(format!("failed: {}", quoted(labels.collect())));
    }
    if outcome.left > 0 {
        parts.push(format!(
            "{} not tried, for want of these or of space",
            outcome.left
        ));
    }
    say(&format!("error: {}", parts.join("; ")));
    ExitCode::FAILURE
}

/// A flag that the first SIGINT, SIGTERM or SIGUSR1 sets, and the number of that signal. The second one ends the process at once;
/// what it leaves is not taken for finished, and the next run goes on from the last resume point.
fn watch_signals() -> Result<(Arc<AtomicBool>, Arc<AtomicUsize>), Error> {
    let (stop, number) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    for signal in [SIGINT, SIGTERM, SIGUSR1] {
        let set_up = signal_hook::flag::register_conditional_shutdown(
            signal,
            128 + signal,
            Arc::clone(&stop),
        )
        .and_then(|_| {
            signal_hook::flag::register_usize(signal, Arc::clone(&number), signal as usize)
        })
        .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)));
        set_up.map_err(|cause| Error::Unsupported {
            message: format!("cannot listen to signals: {cause}"),
        })?;
    }
    Ok((stop, number))
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
    let name = site(site_file)?.device;
    let device = doctor::device_or_best(name.as_deref())?;
    lines.push(format!(
        "{:<13}{}",
        "device",
        doctor::environment(device)?.device
    ));
    write_out(&(lines.join("\n") + "\n"));
    Ok(ExitCode::SUCCESS)
}
