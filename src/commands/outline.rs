//! `show FILE.cc` and `show FILE.cc:TABLE`: what a file asks for, its tables row by row.

use compiler::hir::Table;
use compiler::origins::Texts;
use compiler::plan;
use serde_json::{Value, json};

use super::named::{Read, declared};
use crate::render::{Format, write_out};

/// Prints what a file declares, and its tables row by row, each under the name by which it is shown.
pub fn file(read: &Read, texts: &Texts<'_>, format: Format) {
    let program = &read.program;
    let file = read.prefix.trim_end_matches(':');
    let declared = declared(read, texts);
    if format == Format::Json {
        let names = |wanted: &str| -> Vec<&str> {
            let of_kind = declared.iter().filter(|(kind, _)| *kind == wanted);
            of_kind.map(|(_, name)| *name).collect()
        };
        let others = declared
            .iter()
            .map(|(kind, name)| json!({ "kind": kind, "name": name }));
        let object = json!({
            "file": file, "pretrains": names("pretrain"), "evals": names("eval"), "declares": others.collect::<Vec<_>>(),
            "tables": program.tables.iter().map(json_of).collect::<Vec<_>>(),
        });
        write_out(&format!("{object}\n"));
        return;
    }
    let mut text = format!("{file}\n");
    if let Some(line) = plan::set_line(&program.set) {
        text += &format!("  {line}\n");
    }
    for (kind, name) in declared {
        text += &format!("  {kind} {name}\n");
    }
    for table in &program.tables {
        text += &lines(table);
    }
    write_out(&text);
}

/// Prints a table row by row.
pub fn table(table: &Table, format: Format) {
    write_out(&match format {
        Format::Text => lines(table),
        Format::Json => format!("{}\n", json_of(table)),
    });
}

fn columns_of(table: &Table) -> Vec<&str> {
    let scores = table.scores.iter();
    scores.map(|(label, _)| label.as_str()).collect()
}

fn json_of(table: &Table) -> Value {
    let rows = table.rows.iter().map(
        |row| json!({ "label": row.label, "of": row.of, "stage": row.id, "expect": row.expect }),
    );
    let rows: Vec<Value> = rows.collect();
    json!({ "name": table.name, "title": table.title, "columns": columns_of(table), "rows": rows })
}

fn lines(table: &Table) -> String {
    let title = table.title.as_ref();
    let title = title.map_or(String::new(), |title| format!(" \"{title}\""));
    let mut text = format!("  table {}{title}\n", table.name);
    if !table.scores.is_empty() {
        text += &format!("    scores  {}\n", columns_of(table).join(", "));
    }
    let width = table.rows.iter().map(|row| row.label.chars().count()).max();
    let width = width.unwrap_or(0);
    for row in &table.rows {
        let expect = row.expect.iter().map(|cell| cell.as_deref().unwrap_or("_"));
        let expect: Vec<&str> = expect.collect();
        let expect = match expect.as_slice() {
            [] => String::new(),
            some => format!("   expect {}", some.join(", ")),
        };
        let line = format!(
            "    {:>3}  {}  {:<width$}{expect}",
            row.number,
            row.id.short(),
            row.label
        );
        text += line.trim_end();
        text.push('\n');
    }
    text
}
