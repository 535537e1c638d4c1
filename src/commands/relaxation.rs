//! `explain FILE:NAME.relax`: how the windows of a pretraining lie in time, and what each pair of its loss sees.

use std::path::{Path, PathBuf};

use compiler::hir::{Pretrain, Program, Provenance};
use compiler::origins::Place;
use compiler::time;
use grammar::span::Sources;
use serde_json::{Value, json};

use super::rows;
use super::value::{place_lines, places};
use crate::failure::{Failure, Result};
use crate::load::{Reading, add_set, compile_or_stop, shipped_or_stop};
use crate::render::{Format, write_out};

/// What `explain` is asked for, if it is a relaxation: the file, and the name before `.relax`.
pub fn asked(what: &str) -> Option<(Option<&Path>, &str)> {
    let path = what.strip_suffix(".relax")?;
    let known = match path.find(".cc:") {
        Some(at) => (Some(Path::new(&path[..at + 3])), &path[at + 4..]),
        None => (None, path),
    };
    Some(known)
}

/// Prints the law of windows of the pretraining or row `name` of `file`; without one, of a pretraining of the prelude.
pub fn explain(of: (Option<&Path>, Reading<'_>), name: &str, format: Format) -> Result<()> {
    let text = closed(of, name, ".relax", |sources, pretrain, provenance| {
        let policy = policy(sources, provenance);
        let places = places(sources, provenance, "relax");
        Ok(match format {
            Format::Text => {
                let places: Vec<&Place> = places.iter().collect();
                time::text(pretrain, &policy) + "  set at\n" + &place_lines(&places)
            }
            Format::Json => {
                let windows = time::json(pretrain, &policy);
                let mut windows: Value =
                    serde_json::from_str(&windows).expect("explain: laws are printed as JSON");
                windows["places"] = json!(places);
                format!("{windows:#}\n")
            }
        })
    })?;
    write_out(&text);
    Ok(())
}

/// What `then` makes of the pretraining or row `name` of `file` read as `reading` says; without a file, of a pretraining of
/// the prelude. `path` is what was asked of it, for messages.
pub fn closed<T>(
    (file, Reading { profile, set }): (Option<&Path>, Reading<'_>),
    name: &str,
    path: &str,
    then: impl FnOnce(&Sources, &Pretrain, &Provenance) -> Result<T>,
) -> Result<T> {
    match file {
        Some(file) => {
            let compiled = compile_or_stop(&[PathBuf::from(file)], profile, set)?;
            let programs = compiled.programs().unwrap_or_default();
            let (_, program) = programs
                .first()
                .expect("explain: one file gives one program");
            let (pretrain, provenance) = find(program, name)?;
            then(&compiled.sources, pretrain, provenance)
        }
        None => {
            let mut sources = compiler::sources();
            let root = sources.add("prelude", format!("use paper\npretrain it = {name}"));
            let set = add_set(&mut sources, set);
            let program = match super::show::is_shipped_value(name) {
                true => shipped_or_stop(&mut sources, root, profile, set)?,
                false => None,
            };
            let Some(declared) = program
                .as_ref()
                .and_then(|program| program.pretrains.first())
            else {
                return Err(
                    Failure::misuse(format!("the prelude has no pretraining `{name}`")).help(
                        format!("one of a file is `crisscross explain FILE.cc:NAME{path}`"),
                    ),
                );
            };
            then(&sources, &declared.pretrain, &declared.provenance)
        }
    }
}

/// A pretraining by its name, or a row as `TABLE:ROW`.
fn find<'p>(program: &'p Program, name: &str) -> Result<(&'p Pretrain, &'p Provenance)> {
    if let Some(declared) = program.pretrains.iter().find(|p| p.name == name) {
        return Ok((&declared.pretrain, &declared.provenance));
    }
    let is_table = program.tables.iter().any(|table| table.name == name);
    let first = format!("{name}:1");
    let (table, row) = rows::one(program, Some(if is_table { &first } else { name }))?;
    Ok((&table.rows[row].pretrain, &table.rows[row].provenance))
}

/// The policy as its field calls it, `mild`; `relax` where it has no name.
fn policy(sources: &Sources, provenance: &Provenance) -> String {
    let field = provenance.get("relax").and_then(|places| places.last());
    let value = field.and_then(|place| sources.text(*place).split_once('='));
    let named = value
        .map(|(_, value)| value.trim())
        .filter(|value| value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    named.unwrap_or("relax").to_owned()
}
