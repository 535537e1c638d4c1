//! Pages of `report` as files, once or again and again while a run is going.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use records::folder::{Runs, write_whole};
use records::report::{self, Page};
use records::say;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::{Asked, asked, pages as made, plans, say_of_toys};
use crate::cli::{Report, ReportFormat};
use crate::failure::{Failure, Result};
use crate::render::write_out;

/// How often the folder of run folders is looked at.
const PAUSE: Duration = Duration::from_millis(1000);
/// How often a signal is looked for meanwhile.
const BLINK: Duration = Duration::from_millis(100);
/// The page that leads to several.
const INDEX: &str = "index.html";

/// Where pages go.
struct Places {
    /// The file of each page.
    paths: Vec<PathBuf>,
    /// The page that leads to them, where they lie in a folder of their own.
    index: Option<PathBuf>,
}

/// Writes the pages of some files, or prints the one of one file.
pub fn pages(arguments: &Report, runs: &Runs) -> Result<()> {
    let asked = asked(arguments)?;
    say_of_toys(&plans(&asked), arguments, runs)?;
    let Some(out) = arguments.out.as_deref() else {
        let [page] = made(&asked, runs)?.try_into().map_err(|pages: Vec<Page>| {
            Failure::misuse(format!("{} pages need a folder", pages.len()))
                .help("name one, which need not be there yet: `--out DIR`")
        })?;
        write_out(&report::html(&page, false));
        return Ok(());
    };
    let places = places(out, &asked)?;
    write(&places, &made(&asked, runs)?, false)?;
    write_out(&format!("wrote {}\n", said(&places)));
    Ok(())
}

/// Writes the pages again whenever something has changed among the runs, until a signal asks for an end: then once more, as they
/// are to be kept.
pub fn watch(arguments: &Report, runs: &Runs) -> Result<()> {
    if !matches!(arguments.format, None | Some(ReportFormat::Html)) {
        return Err(Failure::misuse(
            "`--watch` writes HTML pages, and another format was asked for",
        )
        .help("`--watch --format html --out PATH`"));
    }
    let Some(out) = arguments.out.as_deref() else {
        return Err(Failure::misuse("`--watch` needs a file that it can renew")
            .help("name one, or of several pages a folder: `--out PATH`"));
    };
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(|cause| {
            Failure::new(format!("cannot listen to signals: {cause}"))
                .help("leave `--watch` out, and write the page again when it is wanted")
        })?;
    }
    let asked = asked(arguments)?;
    let places = places(out, &asked)?;
    let mut seen = None;
    loop {
        // Looked at before the pages are made: what changes meanwhile is seen the next time.
        let now = report::traces(runs)?;
        if seen.as_ref() != Some(&now) {
            write(&places, &made(&asked, runs)?, true)?;
            if seen.is_none() {
                say(&format!("watching: open {}; Ctrl-C ends", said(&places)));
            }
            seen = Some(now);
        }
        let mut waited = Duration::ZERO;
        while waited < PAUSE && !stop.load(Ordering::Relaxed) {
            sleep(BLINK);
            waited += BLINK;
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    write(&places, &made(&asked, runs)?, false)?;
    say(&format!("wrote {} for the last time", said(&places)));
    Ok(())
}

/// Where the pages of these files go: of one file to `out`, unless that is a folder, else into `out`, each under the name of its
/// file.
fn places(out: &Path, asked: &[Asked]) -> Result<Places> {
    if let ([_], false) = (asked, out.is_dir()) {
        return Ok(Places {
            paths: vec![out.to_owned()],
            index: None,
        });
    }
    if out.exists() && !out.is_dir() {
        return Err(Failure::misuse(format!(
            "{} pages need a folder, and `{}` is a file",
            asked.len(),
            out.display()
        ))
        .help("name a folder, which need not be there yet: `--out DIR`"));
    }
    folder(out)?;
    let names = names(asked.iter().map(|one| Path::new(&one.experiment.file)));
    let names: Vec<String> = names.iter().map(|name| format!("{name}.html")).collect();
    Ok(Places {
        index: (!names.contains(&INDEX.to_owned())).then(|| out.join(INDEX)),
        paths: names.iter().map(|name| out.join(name)).collect(),
    })
}

/// Makes the folder `out` where it is not there.
pub fn folder(out: &Path) -> Result<()> {
    std::fs::create_dir_all(out).map_err(|cause| {
        Failure::new(format!("cannot create `{}`: {cause}", out.display()))
            .help("name another folder with `--out DIR`")
    })
}

/// `table1` of `experiments/table1.cc`; of files of one name all of the path, `local-a` and `b-a`.
pub fn names<'f>(files: impl Iterator<Item = &'f Path> + Clone) -> Vec<String> {
    let stem = |file: &Path| {
        file.file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let stems: Vec<String> = files.clone().map(stem).collect();
    let long = |file: &Path| {
        let parts = file.with_extension("");
        let parts: Vec<String> = parts
            .components()
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .filter(|part| part.chars().any(|c| c.is_alphanumeric()))
            .collect();
        parts.join("-")
    };
    let mut taken = BTreeSet::new();
    let named = files.zip(&stems).map(|(file, stem)| {
        let is_shared = stems.iter().filter(|other| *other == stem).count() > 1;
        let name = if is_shared { long(file) } else { stem.clone() };
        // `a/b.cc` and `a-b.cc` are other files still, and so are `X.cc` and `x.cc`, which some file systems take for one.
        let numbered = (2..).map(|n| format!("{name}-{n}"));
        let mut free = std::iter::once(name.clone()).chain(numbered);
        let free = free.find(|name| taken.insert(name.to_lowercase()));
        free.expect("names: numbers do not end")
    });
    named.collect()
}

fn write(places: &Places, pages: &[Page], is_watched: bool) -> Result<()> {
    for (path, page) in places.paths.iter().zip(pages) {
        write_whole(path, report::html(page, is_watched).as_bytes())?;
    }
    if let Some(index) = &places.index {
        let name = |path: &PathBuf| {
            path.file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        };
        let named = places.paths.iter().map(name).zip(pages);
        write_whole(index, report::index(&named.collect::<Vec<_>>()).as_bytes())?;
    }
    Ok(())
}

/// What was written, in words.
fn said(places: &Places) -> String {
    match (&places.index, places.paths.as_slice()) {
        (None, [one]) => format!("`{}`", one.display()),
        (Some(index), paths) => format!("{} pages and `{}`", paths.len(), index.display()),
        (None, paths) => {
            let folder = paths.first().and_then(|path| path.parent());
            let folder = folder.unwrap_or(Path::new("."));
            format!("{} pages in `{}`", paths.len(), folder.display())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_called_as_their_files_and_no_two_alike() {
        let named = |files: &[&str]| names(files.iter().map(|file| Path::new(*file)));
        assert_eq!(named(&["e/table1.cc", "fig1.cc"]), ["table1", "fig1"]);
        assert_eq!(
            named(&["./a/x.cc", "../b/x.cc", "a-x.cc", "y.cc"]),
            ["a-x", "b-x", "a-x-2", "y"]
        );
    }
}
