//! `explain FILE:NAME.v.f`: a network layer by layer, with shapes and parameters; `explain FILE:TABLE.features`: the maps that
//! the evaluations of a table read.

use std::path::{Path, PathBuf};

use compiler::graph::networks::{self, Row};
use compiler::origins::Place;
use serde_json::{Value, json};

use super::value::places;
use super::{relaxation, rows};
use crate::failure::{Failure, Result};
use crate::load::{Reading, compile_or_stop};
use crate::render::{Format, write_out};

/// What `explain` is asked for, if it is a network or features.
pub struct Asked<'a> {
    /// The file; without one the prelude.
    file: Option<&'a Path>,
    /// The pretraining, table or row.
    name: &'a str,
    /// `v.f` or `v.h`; `None` for features.
    group: Option<&'a str>,
}

/// Reads `FILE.cc:NAME.v.f`, `NAME.v.h` or `FILE.cc:TABLE.features`.
pub fn asked(what: &str) -> Option<Asked<'_>> {
    let (file, path) = match what.find(".cc:") {
        Some(at) => (Some(Path::new(&what[..at + 3])), &what[at + 4..]),
        None => (None, what),
    };
    if let Some(name) = path.strip_suffix(".features") {
        return Some(Asked {
            file,
            name,
            group: None,
        });
    }
    let (rest, _) = path
        .rsplit_once('.')
        .filter(|(_, part)| matches!(*part, "f" | "h"))?;
    let (name, _) = rest.rsplit_once('.')?;
    Some(Asked {
        file,
        name,
        group: Some(&path[name.len() + 1..]),
    })
}

/// Prints the layers that are asked for.
pub fn explain(asked: &Asked<'_>, reading: Reading<'_>, format: Format) -> Result<()> {
    let tables = match asked.group {
        Some(group) => vec![network(asked, group, reading)?],
        None => features(asked, reading)?,
    };
    write_out(&match format {
        Format::Text => {
            let tables = tables.iter().map(|listed| {
                let place = listed.places.last();
                let place = place.map_or(String::new(), |place| {
                    format!("    # {}:{}", place.file, place.line)
                });
                format!("{}{place}\n{}", listed.name, networks::text(&listed.rows))
            });
            tables.collect::<Vec<_>>().join("\n")
        }
        Format::Json => {
            let tables: Vec<Value> = tables.iter().map(json_of).collect();
            let whole = match (asked.group, tables.as_slice()) {
                (Some(_), [one]) => one.clone(),
                _ => Value::from(tables),
            };
            format!("{whole}\n")
        }
    });
    Ok(())
}

/// Layers under their title.
struct Listed {
    name: String,
    /// The places that set the network, the one that counts last.
    places: Vec<Place>,
    rows: Vec<Row>,
}

fn network(asked: &Asked<'_>, group: &str, reading: Reading<'_>) -> Result<Listed> {
    let name = format!("{}.{group}", asked.name);
    relaxation::closed(
        (asked.file, reading),
        asked.name,
        &format!(".{group}"),
        |sources, pretrain, provenance| {
            let rows = networks::of_group(pretrain, group).ok_or_else(|| {
                let groups = pretrain.modalities.iter().flat_map(|m| {
                    let h = m.h.iter().map(|_| format!("`{}.h`", m.name));
                    std::iter::once(format!("`{}.f`", m.name)).chain(h)
                });
                let message = format!("`{}` has no network `{group}`", asked.name);
                let list: Vec<String> = groups.collect();
                Failure::misuse(message).help(format!("it trains {}", list.join(", ")))
            })?;
            let places = places(sources, provenance, group);
            Ok(Listed { name, places, rows })
        },
    )
}

fn features(asked: &Asked<'_>, reading: Reading<'_>) -> Result<Vec<Listed>> {
    let Some(file) = asked.file else {
        return Err(
            Failure::misuse("features are those of the evaluations of a table")
                .help("write `crisscross explain FILE.cc:TABLE.features`"),
        );
    };
    let compiled = compile_or_stop(&[PathBuf::from(file)], reading.profile, reading.set)?;
    let programs = compiled.programs().unwrap_or_default();
    let (_, program) = programs
        .first()
        .expect("explain: one file gives one program");
    let is_table = program.tables.iter().any(|table| table.name == asked.name);
    let first = format!("{}:1", asked.name);
    let row = if is_table { &first } else { asked.name };
    let (table, row) = rows::one(program, Some(row))?;
    let pretrain = &table.rows[row].pretrain;
    let parts = table
        .scores
        .iter()
        .flat_map(|(heading, protocol)| protocol.parts().iter().map(move |eval| (heading, eval)));
    let listed: Vec<Listed> = parts
        .filter_map(|(heading, eval)| {
            Some(Listed {
                name: format!("{heading}, {}", eval.uses),
                places: vec![],
                rows: networks::of_features(pretrain, eval)?,
            })
        })
        .collect();
    if listed.is_empty() {
        let message = format!("no evaluation of `{}` reads a map", table.name);
        return Err(Failure::misuse(message)
            .help("`scores` of a table names what is evaluated: `scores = [linear8 on UCF101]`"));
    }
    Ok(listed)
}

fn json_of(listed: &Listed) -> Value {
    let rows = &listed.rows;
    let layers: Vec<Value> = rows
        .iter()
        .map(|row| json!({ "layer": row.name, "output": row.shape, "parameters": row.parameters }))
        .collect();
    let total: u64 = rows.iter().map(|row| row.parameters).sum();
    json!({ "name": listed.name, "places": listed.places, "layers": layers, "parameters": total })
}
