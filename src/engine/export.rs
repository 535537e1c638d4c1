//! `export`: the weights of a run folder with names that other programs know.

use compiler::plan::{Stage, Work};
use crisscross::cli::WeightNames;
use crisscross::render::write_out;
use records::folder::{CHECKPOINT, PLAN, checkpoint_after, read_json};
use records::say;
use runtime::error::Error;
use runtime::weights::export::export as write;
use runtime::weights::names::Names;
use std::path::PathBuf;
use std::process::ExitCode;

/// `export`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The run folder.
    #[arg(long)]
    folder: PathBuf,
    /// The epoch.
    #[arg(long)]
    epoch: Option<u32>,
    /// Whose names.
    #[arg(long, value_enum)]
    names: WeightNames,
    /// One network alone.
    #[arg(long)]
    network: Option<String>,
    /// The file.
    #[arg(long)]
    to: PathBuf,
}

/// Writes the file, and prints how it is loaded.
pub fn export(arguments: &Arguments) -> Result<ExitCode, Error> {
    let stage: Stage = read_json(&arguments.folder.join(PLAN))?;
    let Work::Pretrain(work) = &stage.work else {
        return Err(Error::Unsupported {
            message: format!("`{}` is no pretraining, and has no weights", stage.label),
        });
    };
    let file = arguments
        .epoch
        .map_or_else(|| CHECKPOINT.to_owned(), checkpoint_after);
    let from = arguments.folder.join(file);
    let names = match arguments.names {
        WeightNames::Ours => Names::Ours,
        WeightNames::Authors => Names::Authors,
        WeightNames::Torchvision => Names::Torchvision,
    };
    let network = arguments.network.as_deref();
    let written = write(&work.settings, (&from, &arguments.to), names, network)?;
    for (network, why) in &written.left_out {
        say(&format!("note: `{network}` is left out: {why}"));
    }
    let mut lines = vec![format!(
        "{}: {} tensors of {}, {:.1} MB, names of {}",
        arguments.to.display(),
        written.tensors,
        written.networks.join(", "),
        written.bytes as f64 / 1e6,
        names.name()
    )];
    lines.extend(written.load.iter().map(|line| format!("  {line}")));
    write_out(&(lines.join("\n") + "\n"));
    Ok(ExitCode::SUCCESS)
}
