//! `crisscross-engine run`: makes the stages of a plan, as one process or as one of several ranks.

use crate::signals::Signals;
use crate::{local, machine, meeting, site, smoke, threads};
use compiler::plan::{self, Plan};
use crisscross::cli::{Machine, Switch};
use crisscross::render::write_out;
use records::folder::{Runs, content_hash, plan_hash, read_json};
use records::launch::Launch;
use records::report::{Format, report_of};
use records::say;
use runtime::error::Error;
use runtime::ranks::Ranks;
use runtime::stages::{self, Outcome};
use runtime::{device, doctor};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tch::Device;

#[derive(clap::Args)]
pub struct Arguments {
    /// The plan, as `crisscross plan --format json` prints it.
    #[arg(long)]
    plan: PathBuf,
    /// The folder of run folders.
    #[arg(long)]
    runs: PathBuf,
    /// What computes, and how.
    #[command(flatten)]
    machine: Machine,
    /// Whether a GPU is given a step as one graph.
    #[arg(long, value_enum)]
    cuda_graph: Option<Switch>,
    /// Processes on this machine that train together.
    #[arg(long)]
    ranks: Option<u16>,
    /// One of those processes.
    #[arg(long, hide = true)]
    is_child: bool,
    /// Samples that go through the networks at once.
    #[arg(long)]
    micro_batch: Option<u32>,
    /// Threads that decode and augment.
    #[arg(long)]
    loader_threads: Option<usize>,
    /// Trainings one after another.
    #[arg(long)]
    no_gang: bool,
    /// Two steps of each training, in a folder that goes.
    #[arg(long)]
    smoke: bool,
    /// The site file.
    #[arg(long)]
    site: Option<PathBuf>,
    /// What was typed, for people who read the run folders.
    #[arg(long)]
    command: Option<String>,
}

/// Makes the stages of a plan. Exit codes: 0 all is there; 1 something failed; 129, 130, 138 and 143 after SIGHUP, SIGINT,
/// SIGUSR1 and SIGTERM.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let signals = Signals::watch()?;
    let launch = match arguments.ranks {
        None => Launch::of_this_process().map_err(|misfit| Error::Unsupported {
            message: format!("{}; {}", misfit.message, misfit.help),
        })?,
        Some(1) => None,
        Some(ranks) => return local::start(ranks, &signals.number),
    };
    device::check_torch()?;
    let Some(launch) = launch else {
        return Ok(make(arguments, None, &signals)?.into());
    };
    let rank = launch.rank;
    let code = make(arguments, Some(&launch), &signals).unwrap_or_else(|error| {
        if error.is_for(rank) {
            // An error of its own; those of others name their rank.
            let is_own = !matches!(error, Error::Rank { .. });
            let of = if is_own && rank > 0 {
                format!("rank {rank}: ")
            } else {
                String::new()
            };
            say(&format!("error: {of}{}", error.in_full()));
        }
        1
    });
    Ok(code.into())
}

/// The exit code of the stages, as this process makes them or has a part in them.
fn make(arguments: &Arguments, launch: Option<&Launch>, signals: &Signals) -> Result<u8, Error> {
    let whole: Plan = read_json(&arguments.plan)?;
    let plan = match arguments.smoke {
        true => plan::smoke(whole.clone()),
        false => whole.clone(),
    };
    let site = site(arguments.site.as_deref())?;
    let device = machine::settle(&arguments.machine, arguments.cuda_graph, &site, launch)?;
    let mut loader_threads = threads(arguments.loader_threads, &site);
    let ranks = match launch {
        None => Ranks::alone(),
        Some(launch) => {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            let share = launch.share_of(cores);
            tch::set_num_threads(i32::try_from(share).unwrap_or(i32::MAX));
            if arguments.loader_threads.or(site.loader_threads).is_none() {
                loader_threads = share;
            }
            let equal = equal(arguments, &plan, device);
            let is_silent = arguments.is_child && launch.rank > 0;
            meeting::meet(launch, device, equal, &signals.number, is_silent)?
        }
    };
    // Of several ranks, rank 0 is asked to stop by the signals of all; the others wait for what it says.
    let asked = Arc::new(AtomicBool::new(false));
    ranks.relay(&signals.number, &asked);
    // At once: a GPU may still be at what never comes to its end.
    let end = || signal_hook::low_level::exit(1);
    ranks.end_with_others(|message| say(&format!("error: {message}")), end);
    if arguments.is_child {
        let stop = Arc::clone(&signals.stop);
        local::stop_with_parent(&signals.number, move || stop.store(true, Ordering::Relaxed));
    }
    let device_line = doctor::device_line(device, &ranks)?;
    let options = stages::Options {
        runs: &arguments.runs,
        site: &site,
        device,
        device_line: &device_line,
        loader_threads,
        command: arguments.command.as_deref(),
        gang: !arguments.no_gang,
        micro_batch: arguments.micro_batch,
        smoke: arguments.smoke,
        ranks: &ranks,
        stop: if ranks.is_alone() {
            &signals.stop
        } else {
            &asked
        },
    };
    let work = || match ranks.is_first() {
        true if arguments.smoke => try_out(&whole, &plan, &options, signals),
        true => lead(
            &plan,
            &options,
            signals,
            "the same command goes on from here",
        ),
        false => stages::follow(&plan, &options),
    };
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(code)) => {
            ranks.finish()?;
            Ok(code)
        }
        Ok(Err(error)) => {
            ranks.fail(&error);
            Err(error)
        }
        Err(panic) => match Error::of_panic(panic) {
            Ok(error) => {
                ranks.fail(&error);
                Err(error)
            }
            Err(panic) => {
                ranks.fail(&Error::Unsupported {
                    message: "it met a bug in crisscross".to_owned(),
                });
                resume_unwind(panic)
            }
        },
    }
}

/// What must be the same on all ranks: what they execute, and how.
fn equal(arguments: &Arguments, plan: &Plan, device: Device) -> BTreeMap<String, String> {
    let settings = device::settings();
    let values = [
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("plan", plan_hash(plan)),
        // Of one plan, what passes have made of its steps.
        ("steps", content_hash(plan)),
        ("gang", (!arguments.no_gang).to_string()),
        ("smoke", arguments.smoke.to_string()),
        ("micro-batch", format!("{:?}", arguments.micro_batch)),
        ("device", doctor::kind_of(device).to_owned()),
        ("tf32", settings.tf32.to_string()),
        ("memory format", settings.memory_format.name().to_owned()),
    ];
    BTreeMap::from(values.map(|(name, value)| (name.to_owned(), value)))
}

/// Makes the stages, prints their tables, and tells the other ranks how they came out. `after` is said of an interruption.
fn lead(
    plan: &Plan,
    options: &stages::Options,
    signals: &Signals,
    after: &str,
) -> Result<u8, Error> {
    let code = match stages::run(plan, options) {
        Ok(outcome) => {
            let (finished, before) = (&outcome.finished, &outcome.unchecked);
            if !(finished.is_empty() && before.is_empty()) {
                let tables = report_of(plan, finished, before)?;
                write_out(&tables.render(Format::Text));
            }
            summarise(&outcome)
        }
        Err(Error::Interrupted) => {
            say(&format!("interrupted: {after}"));
            128 + signals.number.load(Ordering::Relaxed) as u8
        }
        Err(error) => return Err(error),
    };
    stages::dismiss(options.ranks, code)?;
    Ok(code)
}

/// Makes the stages of `plan`, which is `whole` in short, in a folder beside the runs that goes at the end, and says what the trainings
/// of `whole` would take.
fn try_out(
    whole: &Plan,
    plan: &Plan,
    options: &stages::Options,
    signals: &Signals,
) -> Result<u8, Error> {
    let scratch = Runs::open(options.runs)?.scratch()?;
    let inside = stages::Options {
        runs: scratch.path(),
        ..*options
    };
    say(
        "a try: two steps of each training, few clips of each evaluation; the numbers mean nothing, and nothing of it is kept but a step that fails",
    );
    let after = "nothing of the try is kept, and the same command begins it anew";
    let code = lead(plan, &inside, signals, after)?;
    let pace = smoke::pace(whole, scratch.path())?;
    pace.iter().for_each(|line| say(line));
    say(match code {
        0 => {
            "the try has come to its end: every stage ran, and each training was interrupted and taken up"
        }
        _ => "the try has not come to its end",
    });
    Ok(code)
}

/// Says which stages failed or were left, after the tables. The reasons have been printed.
fn summarise(outcome: &Outcome) -> u8 {
    if outcome.failed.is_empty() && outcome.unfit.is_empty() {
        return 0;
    }
    let quoted = |names: Vec<&str>| -> String {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    let done = outcome.finished.len();
    let before = outcome.unchecked.len();
    let all = done + before + outcome.failed.len() + outcome.left;
    let mut parts = vec![match before {
        0 => format!("{done} of {all} stages are done"),
        _ => format!(
            "{done} of {all} stages are done, and {before} were done before, of data that cannot be used now"
        ),
    }];
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
    1
}
