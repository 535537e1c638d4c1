//! `data-check`: decodes files from end to end and says what is in them.

use crisscross::render::write_out;
use records::say;
use records::site::Site;
use runtime::data::check::{self, Status};
use runtime::data::shards::{self, Shards};
use runtime::data::source::ClipSource;
use runtime::data::{index, manifest};
use runtime::error::Error;
use runtime::progress::Progress;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// `data-check`.
#[derive(clap::Args)]
pub struct Arguments {
    /// One JSON object for each file.
    #[arg(long, value_parser = ["text", "json"], default_value = "text")]
    format: String,
    /// The site file.
    #[arg(long)]
    site: Option<PathBuf>,
    /// Names of data sets in the site file, folders or files.
    #[arg(required = true)]
    what: Vec<PathBuf>,
}

/// Prints what is in the files; exit code 1 where one does not decode.
pub fn check_data(arguments: &Arguments) -> Result<ExitCode, Error> {
    let site = crate::site(arguments.site.as_deref())?;
    let (mut files, mut sets) = (vec![], vec![]);
    let mut packed = 0;
    for what in &arguments.what {
        if let Some((name, root)) = packed_set(what, &site)? {
            check_packed(name, &root, arguments.format == "json")?;
            packed += 1;
            continue;
        }
        let found = files_of(what, &site)?;
        if let Some(name) = what.to_str().filter(|name| site.data.contains_key(*name)) {
            sets.push((name, files.len()..files.len() + found.len()));
        }
        files.extend(found);
    }
    if packed == arguments.what.len() {
        return Ok(ExitCode::SUCCESS);
    }
    let threads = crate::threads(None, &site);
    let (mut counts, mut at, mut bad) = ([0; 3], 0, vec![]);
    check::check(&files, threads, &mut |found| {
        counts[found.status as usize] += 1;
        if found.status == Status::Unreadable {
            bad.push((at, found.file.clone(), found.note.clone()));
        }
        at += 1;
        let line = match arguments.format.as_str() {
            "json" => serde_json::to_string(&found).expect("a report is plain data"),
            _ => found.to_string(),
        };
        write_out(&(line + "\n"));
    });
    for (name, range) in sets {
        let of_set = bad.iter().filter(|(at, ..)| range.contains(at));
        let list: Vec<(PathBuf, String)> = of_set
            .map(|(_, file, cause)| (file.clone(), cause.clone()))
            .collect();
        if index::quarantine(&site, name, &list)? && !list.is_empty() {
            say(&format!(
                "data set `{name}`: in quarantine: {}; runs count these as unreadable until they change",
                list.len()
            ));
        }
    }
    let [ok, damaged, unreadable] = counts;
    say(&format!(
        "{} files: {ok} ok, {damaged} damaged, {unreadable} unreadable",
        files.len()
    ));
    Ok(if ok == files.len() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The name and the folder, where the set that is named is packed.
fn packed_set<'a>(what: &'a Path, site: &Site) -> Result<Option<(&'a str, PathBuf)>, Error> {
    let name = what.to_str().filter(|name| site.data.contains_key(*name));
    let Some(name) = name else { return Ok(None) };
    let root = &site.root(name)?.root;
    Ok(shards::is_packed(root).then(|| (name, root.clone())))
}

/// Reads all of a packed set against its hashes and checksums, and says so.
fn check_packed(name: &str, root: &Path, is_json: bool) -> Result<(), Error> {
    let mut progress = Progress::new(1);
    let set = shards::undeclared(name);
    let all = ClipSource::len(&Shards::found(name, root)?) as u64;
    let (clips, frames) = shards::verify(&set, root, &mut |done| {
        progress.count(done as u64, all, "clips verified");
    })?;
    progress.clear();
    write_out(&if is_json {
        let line =
            serde_json::json!({"file": root, "status": "ok", "clips": clips, "frames": frames});
        format!("{line}\n")
    } else {
        let root = root.display();
        format!(
            "ok          {root}  packed: {clips} clips, {frames} frames, all hashes and checksums\n"
        )
    });
    Ok(())
}

/// The files of a data set that the site file names, those of its lists whether they exist or not; or of a folder; or the file
/// itself.
fn files_of(what: &Path, site: &Site) -> Result<Vec<PathBuf>, Error> {
    let name = what.to_str().filter(|name| site.data.contains_key(*name));
    if let Some(name) = name {
        let (files, notes) = manifest::listed_files(name, site.root(name)?)?;
        notes
            .iter()
            .for_each(|note| say(&format!("data set `{name}`: {note}")));
        return Ok(files);
    }
    let folder = what;
    if folder.is_file() {
        return Ok(vec![folder.to_owned()]);
    }
    let files = if folder.is_dir() {
        check::media_below(folder)?
    } else {
        vec![]
    };
    if !files.is_empty() {
        return Ok(files);
    }
    let known: Vec<&str> = site.data.keys().map(String::as_str).collect();
    let (message, help) = if folder.is_dir() {
        (
            format!("there is no media file in `{}`", folder.display()),
            "name a folder with video or sound files".to_owned(),
        )
    } else {
        let known = if known.is_empty() {
            "it names none".to_owned()
        } else {
            format!("it names {}", known.join(", "))
        };
        (
            "it is no data set of the site file, no folder and no file".to_owned(),
            format!(
                "correct the path, or add `[data.{}]` to `crisscross.toml`; {known}",
                what.display()
            ),
        )
    };
    Err(Error::Data {
        name: what.display().to_string(),
        message,
        help,
    })
}
