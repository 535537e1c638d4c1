//! `query`: what depends on what, and which rows are of a kind.

use std::path::{Path, PathBuf};

use compiler::query;
use grammar::diagnostic::Diagnostic;

use crate::cli;
use crate::failure::{Failure, Result};
use crate::load;
use crate::render::{self, Format, write_out};

/// Answers a question about some files, or about those of the nearest `experiments` folder.
pub fn query(arguments: &cli::Query) -> Result<()> {
    let files = match arguments.files.as_slice() {
        [] => nearest()?,
        named => crate::files::files(named),
    };
    let mut sources = compiler::sources();
    let (mut named, mut wrong): (Vec<_>, Vec<Diagnostic>) = (vec![], vec![]);
    for path in &files {
        let name = path.display().to_string();
        match load::add(&mut sources, path, &name) {
            Ok(file) => named.push((name, file)),
            Err(diagnostic) => wrong.push(*diagnostic),
        }
    }
    let question = sources.add("question", arguments.question.clone());
    let answer = if wrong.is_empty() {
        query::query(&mut sources, &named, question, &load::resolve)
    } else {
        Err(wrong)
    };
    match answer {
        Ok(answer) => {
            write_out(&match arguments.format {
                Format::Text => answer.text(),
                Format::Json => answer.json() + "\n",
            });
            Ok(())
        }
        Err(found) => {
            render::print(&sources, &found, arguments.format);
            Err(Failure::said())
        }
    }
}

/// The files of the folder `experiments` here or in the nearest folder above that has one, sorted by name.
fn nearest() -> Result<Vec<PathBuf>> {
    let here = std::env::current_dir()
        .map_err(|cause| Failure::new(format!("cannot tell the current folder: {cause}")))?;
    for folder in here.ancestors() {
        // Messages name files as one would type them here.
        let shown = if folder == here {
            PathBuf::from("experiments")
        } else {
            folder.join("experiments")
        };
        let files = files_in(&shown);
        if !files.is_empty() {
            return Ok(files);
        }
    }
    Err(
        Failure::misuse("there is no folder `experiments` here or above, and no file is named")
            .help("name the files: `crisscross query 'rows where loss has async' table1.cc`"),
    )
}

/// The `.cc` files of a folder, sorted; none where there is no such folder.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let is_ours = |path: &PathBuf| path.extension().is_some_and(|suffix| suffix == "cc");
    let mut files: Vec<PathBuf> = paths
        .filter(is_ours)
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}
