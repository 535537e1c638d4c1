//! `data-index`: lists data sets, opens the files that are new, and keeps what is found.

use records::say;
use records::site::Site;
use runtime::data::index::{self, Wanted};
use runtime::data::shards::{self, Shards};
use runtime::error::Error;
use runtime::progress::Progress;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// `data-index`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The site file.
    #[arg(long)]
    site: Option<PathBuf>,
    /// All data sets of the site file.
    #[arg(long)]
    all: bool,
    /// Names of data sets in the site file.
    names: Vec<String>,
}

/// Brings the index of each set up to date; exit code 1 where one cannot be listed.
pub fn index_data(arguments: &Arguments) -> Result<ExitCode, Error> {
    let mut site = crate::site(arguments.site.as_deref())?;
    let Some(cache) = site.cache().map(Path::to_owned) else {
        return Err(Error::Unsupported {
            message:
                "there is no folder to keep an index in, for this user has no home: write `cache = \"cache\"` into `crisscross.toml`, \
                 above its tables"
                    .to_owned(),
        });
    };
    // This verb exists to write there: what fails is an error in the user's own cache, too.
    site.cache = Some(cache.clone());
    let names: Vec<String> = if arguments.all {
        site.data.keys().cloned().collect()
    } else {
        arguments.names.clone()
    };
    let threads = crate::threads(None, &site);
    let mut progress = Progress::new(names.len());
    let mut is_whole = true;
    for (number, name) in (1..).zip(&names) {
        progress.begin(number, name);
        match index_one(name, &site, threads, &mut progress) {
            Ok(line) => progress.end(&line),
            Err(error) => {
                is_whole = false;
                progress.print(&format!("error: {}", error.in_full()));
            }
        }
    }
    progress.clear();
    say(&format!("kept in `{}`", cache.display()));
    Ok(if is_whole {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn index_one(
    name: &str,
    site: &Site,
    threads: usize,
    progress: &mut Progress,
) -> Result<String, Error> {
    let root = &site.root(name)?.root;
    if shards::is_packed(root) {
        let shards = Shards::found(name, root)?;
        let header = shards.header();
        return Ok(format!(
            "packed, with an index of its own: {} clips in {} shards, {} unreadable; {}",
            header.clips,
            header.shards.len(),
            header.unreadable.len(),
            header.quality
        ));
    }
    let index = index::open(
        Wanted::Found(name),
        site,
        threads,
        true,
        &mut |done, all| {
            progress.count(done as u64, all as u64, "files");
        },
    )?;
    for note in &index.manifest.notes {
        progress.print(&format!("  {note}"));
    }
    let bad: Vec<usize> = (0..index.manifest.len())
        .filter(|row| index.columns.known(*row).is_err())
        .collect();
    for row in bad.iter().take(3) {
        if let Err(cause) = index.columns.known(*row) {
            progress.print(&format!(
                "  cannot read `{}`: {cause}",
                index.manifest.file(*row)
            ));
        }
    }
    let all = index.manifest.len();
    let missing = match index.manifest.missing.0 {
        0 => String::new(),
        missing => format!(", {missing} missing"),
    };
    Ok(format!(
        "{all} files, {} of them new, {} unreadable{missing}",
        index.opened,
        bad.len()
    ))
}
