//! `doctor`: what this machine has and what it lacks.

use std::ffi::OsString;

use records::site::Site;

use super::site_and_runs;
use crate::cli::Doctor;
use crate::failure::Result;
use crate::handover;
use crate::render::write_out;

/// Prints what can be told without the tensor library, then lets the engine go on.
pub fn doctor(arguments: &Doctor) -> Result<()> {
    let (site, runs) = site_and_runs(arguments.site.as_deref(), None)?;
    let mut lines = vec![format!("crisscross   {}", env!("CARGO_PKG_VERSION"))];
    match &site.file {
        Some(file) => lines.push(format!("site file    {}", file.display())),
        None => lines.push(format!(
            "site file    none; copy `crisscross.example.toml` to `{}` to name data roots",
            records::site::FILE
        )),
    }
    lines.push(format!("runs         {}", runs.display()));
    lines.push(format!("cache        {}", cache(&site)));
    for (name, entry) in &site.data {
        let state = if entry.root.is_dir() {
            ""
        } else {
            "   missing: correct `root`, or mount the disk it is on"
        };
        lines.push(format!("data {name:<8}{}{state}", entry.root.display()));
    }
    write_out(&(lines.join("\n") + "\n"));
    let mut command: Vec<OsString> = vec!["doctor".into()];
    if let Some(file) = site.file {
        command.extend(["--site".into(), file.into()]);
    }
    Err(handover::exec(command))
}

/// Where indexes of data sets and of runs are kept, and what hinders it. Nothing is made or left there.
fn cache(site: &Site) -> String {
    let Some(folder) = site.cache() else {
        return "none, for this user has no home folder: write `cache = \"cache\"` into `crisscross.toml`, above its tables".to_owned();
    };
    let there = folder.ancestors().find(|folder| folder.exists());
    let hindrance = match there.map(tempfile::tempfile_in) {
        Some(Ok(_)) => String::new(),
        Some(Err(cause)) => format!("   cannot be written: {cause}"),
        None => "   cannot be made".to_owned(),
    };
    let chosen = if site.cache.is_some() {
        ""
    } else {
        "   (`cache` in `crisscross.toml` names another)"
    };
    format!("{}{hindrance}{chosen}", folder.display())
}
