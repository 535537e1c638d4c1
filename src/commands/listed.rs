//! `explain FILE.cc`: what there is to explain; `explain NAME`: all values of a pretraining or row.

use compiler::columns;
use compiler::origins::{Place, Texts};
use serde_json::{Value, json};

use super::named::{Experiment, Read, declared};
use super::places::field_line;
use super::value::{bound, fields};
use crate::render::{Format, write_out};

/// All names that can be explained, each with what it is: declarations, and the rows of tables.
pub fn contents(read: &Read, texts: &Texts<'_>, format: Format) {
    let declared = declared(read, texts).into_iter();
    let mut names: Vec<[String; 3]> = declared
        .map(|(kind, name)| [name.to_owned(), kind.to_owned(), String::new()])
        .collect();
    for table in &read.program.tables {
        // The table of a file without one repeats its pretrainings.
        if texts.decl(read.root, &table.name).is_some() {
            names.extend(table.rows.iter().map(|row| {
                [
                    format!("{}:{}", table.name, row.number),
                    "row".to_owned(),
                    row.label.clone(),
                ]
            }));
        }
    }
    for [name, ..] in &mut names {
        *name = format!("{}{name}", read.prefix);
    }
    if format == Format::Json {
        let names = names.iter().map(|[name, kind, label]| {
            let label = (!label.is_empty()).then_some(label);
            json!({ "name": name, "kind": kind, "label": label })
        });
        let object = json!({ "asked": read.prefix.trim_end_matches(':'), "names": names.collect::<Vec<_>>() });
        write_out(&format!("{object:#}\n"));
        return;
    }
    let mut text = columns(&names, 3);
    if let Some([name, ..]) = names
        .iter()
        .find(|[_, kind, _]| kind == "pretrain" || kind == "row")
    {
        text += &format!(
            "\n`crisscross explain {name}` lists its values, `crisscross explain {name}.lr_b` says where one comes from\n"
        );
    }
    write_out(&text);
}

/// Prints all values of the pretraining or row `name`, each as the place that counts has it.
pub fn values(
    (read, texts): (&Read, &Texts<'_>),
    (name, experiment): (&str, &Experiment<'_>),
    format: Format,
) {
    let fields = fields(experiment);
    let rows = fields.iter().filter_map(|(path, closed)| {
        let (_, place) = texts.chain(experiment.provenance, path).pop()?;
        Some((path, closed, place))
    });
    let rows: Vec<(&String, &String, Place)> = rows.collect();
    let asked = format!("{}{name}", read.prefix);
    if format == Format::Json {
        let fields = rows.iter().map(|(path, closed, place)| {
            let value = if closed.is_empty() {
                &place.value
            } else {
                *closed
            };
            let bound = bound(read, name, path, closed);
            json!({ "path": path, "value": value, "place": place, "bounded_by": bound })
        });
        let fields: Vec<Value> = fields.collect();
        let object = json!({ "asked": asked, "fields": fields });
        write_out(&format!("{object:#}\n"));
        return;
    }
    let lines = rows.iter().map(|(path, closed, place)| {
        if let Some(bound) = bound(read, name, path, closed) {
            let [setter, sources] = [String::new(), String::new()];
            return [
                (*path).clone(),
                (*closed).clone(),
                bound.to_owned(),
                setter,
                sources,
            ];
        }
        field_line(path, place)
    });
    let lines = columns(&lines.collect::<Vec<_>>(), 3);
    write_out(&format!("{asked}\n{lines}"));
}
