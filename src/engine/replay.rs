//! `replay`: one step of a pretraining again.

use crate::machine;
use crate::signals::Signals;
use crisscross::cli::Machine;
use crisscross::render::write_out;
use runtime::device;
use runtime::error::Error;
use runtime::progress::Progress;
use runtime::watch::replay::{self, Data, Options};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

/// `replay`.
#[derive(clap::Args)]
pub struct Arguments {
    /// A kept step, or a run folder.
    #[arg(long)]
    folder: PathBuf,
    /// The step of a run.
    #[arg(long)]
    step: Option<u64>,
    /// Name the operation that gives the first NaN backwards.
    #[arg(long)]
    anomaly: bool,
    /// What computes, and how.
    #[command(flatten)]
    machine: Machine,
    /// The site file.
    #[arg(long)]
    site: Option<PathBuf>,
}

/// Prints what came of it. Exit codes: 0 reproduced; 1 not, or something failed; 130 and 143 after SIGINT and SIGTERM.
pub fn replay(arguments: &Arguments) -> Result<ExitCode, Error> {
    let Signals { stop, number } = Signals::watch()?;
    device::check_torch()?;
    let site = crate::site(arguments.site.as_deref())?;
    let options = Options {
        device: machine::settle(&arguments.machine, None, &site, None)?,
        anomaly: arguments.anomaly,
    };
    let replayed = match arguments.step {
        None => replay::failure(&arguments.folder, options),
        Some(step) => {
            let data = Data {
                site: &site,
                threads: crate::threads(None, &site),
                stop: &stop,
            };
            let mut progress = Progress::new(1);
            progress.begin(1, &replay::stage_of(&arguments.folder)?.0);
            let replayed =
                replay::run(&arguments.folder, step, &data, options, &mut |done, all| {
                    progress.count(done, all, "steps");
                });
            progress.clear();
            replayed
        }
    };
    match replayed {
        Ok(replayed) => {
            write_out(&(replayed.lines.join("\n") + "\n"));
            Ok(match replayed.is_reproduced {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            })
        }
        Err(Error::Interrupted) => Ok(ExitCode::from(128 + number.load(Ordering::Relaxed) as u8)),
        Err(error) => Err(error),
    }
}
