//! `explain NAME.v.f`: a network layer by layer, with shapes and parameters; `explain TABLE.features`: the maps that the
//! evaluations of a table read.

use compiler::graph::networks::{self, Row};
use compiler::hir::{Pretrain, Table};
use compiler::origins::{Place, Texts};
use serde_json::{Value, json};

use super::named::Experiment;
use super::places::places;
use crate::failure::{Failure, Result};
use crate::render::{Format, write_out};

/// The path of a network, `v.f` or `v.h`.
pub fn is_network(path: &str) -> bool {
    matches!(path.split_once('.'), Some((_, "f" | "h")))
}

/// Layers under their title.
struct Listed {
    name: String,
    /// The places that set the network, the one that counts last.
    places: Vec<Place>,
    rows: Vec<Row>,
}

/// Prints the layers of the network at `path` of the pretraining or row `name`.
pub fn network(
    texts: &Texts<'_>,
    (name, experiment): (&str, &Experiment<'_>),
    path: &str,
    format: Format,
) -> Result<()> {
    let pretrain = experiment.pretrain;
    let rows = networks::of_group(pretrain, path).ok_or_else(|| {
        let groups = pretrain.modalities.iter().flat_map(|m| {
            let h = m.h.iter().map(|_| format!("`{}.h`", m.name));
            std::iter::once(format!("`{}.f`", m.name)).chain(h)
        });
        let message = format!("`{name}` has no network `{path}`");
        let list: Vec<String> = groups.collect();
        Failure::misuse(message).help(format!("it trains {}", list.join(", ")))
    })?;
    let listed = Listed {
        name: format!("{name}.{path}"),
        places: places(texts, experiment.provenance, path),
        rows,
    };
    write_out(&match format {
        Format::Text => text(&listed),
        Format::Json => format!("{}\n", json_of(&listed)),
    });
    Ok(())
}

/// Prints what each evaluation of `table` reads of `pretrain`.
pub fn features(table: &Table, pretrain: &Pretrain, format: Format) -> Result<()> {
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
    write_out(&match format {
        Format::Text => listed.iter().map(text).collect::<Vec<_>>().join("\n"),
        Format::Json => format!("{}\n", listed.iter().map(json_of).collect::<Value>()),
    });
    Ok(())
}

fn text(listed: &Listed) -> String {
    let place = listed.places.last();
    let place = place.map_or(String::new(), |place| {
        format!("    # {}:{}", place.file, place.line)
    });
    format!("{}{place}\n{}", listed.name, networks::text(&listed.rows))
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
