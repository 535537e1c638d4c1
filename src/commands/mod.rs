//! One file for each verb.

mod bench;
mod check;
mod compare;
mod data;
mod declared;
mod diff;
mod doc;
mod doctor;
pub mod explain;
mod features;
mod fix;
mod fmt;
mod graph;
mod layers;
mod listed;
mod ls;
mod named;
mod outline;
mod places;
mod plan;
mod query;
mod relaxation;
mod replay;
mod report;
mod rows;
mod run;
mod show;
mod value;
mod weighed;
mod weights;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use compiler::{Profile, hir, passes};
use records::site::Site;

use crate::cli::{Cli, Command, Place};
use crate::failure::{Failure, Result};

/// Does what the arguments of this process say.
///
/// Exit codes: 0 done; 1 a mistake in a file, or something on this machine is wrong; 2 a command line that makes no sense.
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Check(arguments) => check::check(&arguments),
        Command::Fix(arguments) => fix::fix(&arguments),
        Command::Fmt(arguments) => fmt::fmt(&arguments),
        Command::Show(arguments) => show::show(&arguments),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Diff(arguments) => diff::diff(&arguments),
        Command::Graph(arguments) => graph::graph(&arguments),
        Command::Plan(arguments) => plan::plan(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Replay(arguments) => replay::replay(&arguments),
        Command::Report(arguments) => report::report(&arguments),
        Command::Import(arguments) => weights::import(&arguments),
        Command::Features(arguments) => features::features(&arguments),
        Command::Export(arguments) => weights::export(&arguments),
        Command::Ls(arguments) => ls::ls(&arguments),
        Command::Compare(arguments) => compare::compare(&arguments),
        Command::Query(arguments) => query::query(&arguments),
        Command::Doc(arguments) => doc::doc(&arguments),
        Command::Data(arguments) => data::data(&arguments),
        Command::Bench(arguments) => bench::bench(&arguments),
        Command::Doctor(arguments) => doctor::doctor(&arguments),
    };
    done.map_or_else(|failure| failure.report(), |()| ExitCode::SUCCESS)
}

fn profile(is_toy: bool) -> Profile {
    if is_toy { Profile::Toy } else { Profile::Full }
}

/// The training of a pretraining by itself, without states that are kept on the way.
fn training(pretrain: &hir::Pretrain) -> compiler::plan::Pretrain {
    compiler::plan::Pretrain {
        settings: Arc::new(pretrain.clone()),
        steps: Arc::new(passes::build(pretrain).0.steps()),
        keep: vec![],
    }
}

/// The site file, and the folder of run folders: as typed, or as the site file says.
fn site_and_runs(site: Option<&Path>, runs: Option<&Path>) -> Result<(Site, PathBuf)> {
    let here = std::env::current_dir()
        .map_err(|cause| Failure::new(format!("cannot tell the current folder: {cause}")))?;
    let site = Site::load(site, &here)?;
    let runs = runs
        .map(Path::to_owned)
        .or_else(|| site.runs.clone())
        .unwrap_or_else(|| here.join("runs"));
    Ok((site, runs))
}

/// The site and the folder of run folders, for reading: one that is named has to be there.
fn runs_to_read(place: &Place) -> Result<(Site, PathBuf)> {
    let (site, runs) = site_and_runs(place.site.as_deref(), place.runs.as_deref())?;
    match &place.runs {
        Some(folder) if !folder.is_dir() => {
            let message = format!("there is no folder `{}`", folder.display());
            Err(Failure::new(message).help(
                "`--runs DIR` of `crisscross run` says where run folders are kept; by default `runs`",
            ))
        }
        Some(_) | None => Ok((site, runs)),
    }
}
