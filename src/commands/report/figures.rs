//! The figures of `report` as files.

use std::path::{Path, PathBuf};

use compiler::counted;
use records::folder::{Runs, write_whole};
use records::report;

use super::write::{folder, names};
use super::{asked, pages};
use crate::cli::Report;
use crate::failure::{Failure, Result};
use crate::render::write_out;

/// Writes the figures of some files into `--out`, those of several files each into a folder that is called as the file is.
pub fn figures(arguments: &Report, runs: &Runs) -> Result<()> {
    let Some(out) = arguments.out.as_deref() else {
        return Err(Failure::misuse("figures are files, and need a folder")
            .help("name one, which need not be there yet: `--out DIR`"));
    };
    if out.exists() && !out.is_dir() {
        let message = format!("figures need a folder, and `{}` is a file", out.display());
        return Err(Failure::misuse(message)
            .help("name a folder, which need not be there yet: `--out DIR`"));
    }
    let asked = asked(arguments)?;
    let files = asked.iter().map(|one| Path::new(&one.experiment.file));
    let folders: Vec<PathBuf> = match asked.len() {
        1 => vec![out.to_owned()],
        _ => names(files).iter().map(|name| out.join(name)).collect(),
    };
    let (mut figures, mut count, mut absent) = (0, 0, vec![]);
    for (dir, page) in folders.iter().zip(pages(&asked, runs)?) {
        let found = report::exports(&page)?;
        if !found.files.is_empty() {
            folder(dir)?;
        }
        for (name, bytes) in &found.files {
            write_whole(&dir.join(name), bytes)?;
        }
        figures += found.figures;
        count += found.files.len();
        let beside = dir.strip_prefix(out).unwrap_or(dir);
        absent.extend((found.absent.into_iter()).map(|(name, why)| (beside.join(name), why)));
    }
    write_out(&format!(
        "wrote {} as {} in `{}`\n{}",
        counted(figures, "figure"),
        counted(count, "file"),
        out.display(),
        said(&absent)
    ));
    Ok(())
}

/// The figures that there are not, those of one reason together.
fn said(absent: &[(PathBuf, String)]) -> String {
    let mut reasons: Vec<&str> = vec![];
    for (_, reason) in absent {
        if !reasons.contains(&reason.as_str()) {
            reasons.push(reason);
        }
    }
    let line = |reason: &str| {
        let own = absent.iter().filter(|(_, other)| other == reason);
        let names: Vec<String> = own.map(|(name, _)| name.display().to_string()).collect();
        format!("without data: {}: {reason}\n", names.join(", "))
    };
    reasons.into_iter().map(line).collect()
}
