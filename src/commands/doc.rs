//! `doc`: modules and experiments as a folder of HTML pages.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use compiler::book::{self, MARK, Page};
use grammar::span::FileId;

use crate::cli::Doc;
use crate::failure::{Failure, Result};
use crate::load;
use crate::render::{self, write_out};

/// The most of a page that is read to tell whether it is one of ours: the mark stands in its first lines.
const HEAD: u64 = 1024;

/// Writes the pages, all of them or none.
pub fn doc(arguments: &Doc) -> Result<()> {
    let files: Vec<PathBuf> = arguments
        .what
        .iter()
        .filter(|what| !is_shipped(what))
        .cloned()
        .collect();
    may_be_written(&arguments.out)?;
    let compiled = load::compile_or_stop(&files, compiler::Profile::Full, &[])?;
    let mut sources = compiled.sources;
    let ids: Vec<FileId> = files
        .iter()
        .filter_map(|path| {
            let name = path.display().to_string();
            let known = sources.iter().filter(|(_, source)| source.name == name);
            known.last().map(|(id, _)| id)
        })
        .collect();
    let draw = |sources: &_, one: &_| render::draw(sources, one, false);
    let pages = book::pages(&mut sources, &ids, &load::resolve, &draw);
    write(&arguments.out, &pages)?;
    let count = pages.len();
    let index = arguments.out.join("index.html");
    write_out(&format!("wrote {count} pages: open {}\n", index.display()));
    Ok(())
}

/// `paper`, `released` and `toy` are part of every book.
fn is_shipped(what: &Path) -> bool {
    compiler::SHIPPED
        .iter()
        .any(|(name, _)| Path::new(name) == what)
}

/// A folder that is not there, is empty, or holds pages of ours and nothing else.
fn may_be_written(out: &Path) -> Result<()> {
    let cannot_read = |cause| {
        Failure::new(format!(
            "cannot read the folder `{}`: {cause}",
            out.display()
        ))
    };
    let entries = match fs::read_dir(out) {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(()),
        Err(cause) if cause.kind() == ErrorKind::NotADirectory => {
            return Err(Failure::new(format!("`{}` is a file", out.display()))
                .help("name a folder for the pages: `--out DIR`"));
        }
        Err(cause) => return Err(cannot_read(cause)),
    };
    let here = std::env::current_dir().and_then(fs::canonicalize);
    if matches!((here, fs::canonicalize(out)), (Ok(here), Ok(out)) if here == out) {
        return Err(
            Failure::misuse(format!("`{}` is the folder that you are in", out.display())).help(
                "name a folder for the pages alone, which need not be there yet: `--out DIR`",
            ),
        );
    }
    let mut names = vec![];
    for entry in entries {
        names.push(entry.map_err(cannot_read)?.path());
    }
    names.sort();
    match names.iter().find(|path| !is_ours(path)) {
        None => Ok(()),
        Some(foreign) => Err(Failure::new(format!(
            "`{}` holds something that `crisscross doc` did not write: `{}`",
            out.display(),
            foreign.file_name().unwrap_or_default().display()
        ))
        .help("name a folder for the pages alone, which need not be there yet: `--out DIR`")),
    }
}

fn is_ours(path: &Path) -> bool {
    let is_file = fs::symlink_metadata(path).is_ok_and(|about| about.is_file());
    let mut head = vec![];
    is_file
        && path.extension().is_some_and(|suffix| suffix == "html")
        && fs::File::open(path).is_ok_and(|file| file.take(HEAD).read_to_end(&mut head).is_ok())
        && String::from_utf8_lossy(&head).contains(MARK)
}

/// Writes the pages into a folder beside `out`, then puts it in the place of `out`.
fn write(out: &Path, pages: &[Page]) -> Result<()> {
    let failed = |cause: std::io::Error| {
        Failure::new(format!(
            "cannot write the pages to `{}`: {cause}",
            out.display()
        ))
        .help("make room, or name another folder: `--out DIR`")
    };
    let parent = match out.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(failed)?;
    // A folder that is a link stays one: what it leads to is replaced.
    let out = &fs::canonicalize(out).unwrap_or_else(|_| out.to_owned());
    let parent = out
        .parent()
        .filter(|p| *p != Path::new(""))
        .unwrap_or(parent);
    let made = tempfile::Builder::new()
        .prefix(".crisscross-doc-")
        .tempdir_in(parent)
        .map_err(failed)?;
    let fresh = made.path().join("new");
    fs::create_dir(&fresh).map_err(failed)?;
    for page in pages {
        fs::write(fresh.join(&page.path), &page.html).map_err(failed)?;
    }
    if !out.exists() {
        return fs::rename(&fresh, out).map_err(failed);
    }
    let old = made.path().join("old");
    fs::rename(out, &old).map_err(failed)?;
    fs::rename(&fresh, out).map_err(|cause| {
        // What was there comes back; nothing more can be done where even that fails.
        let _ = fs::rename(&old, out);
        failed(cause)
    })
}
