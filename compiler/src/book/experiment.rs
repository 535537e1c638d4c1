//! What an experiment asks for: its tables with the published numbers, and the training steps of its rows.

use super::code;
use super::library::{Library, anchor};
use super::module::{FieldView, fields};
use crate::hir::{Pretrain, Program, Table};
use crate::{graph, time};
use grammar::span::Sources;
use serde::Serialize;

/// Rows of a table that are shown with all their fields. Past that a page would be too long to be of use.
const MOST_CLOSED: usize = 24;
/// Training steps that are drawn.
const MOST_STEPS: usize = 12;
/// Rows that are looked at for steps that differ.
const MOST_ROWS: usize = 200;

/// One table.
#[derive(Serialize)]
pub(super) struct TableView {
    name: String,
    title: Option<String>,
    /// Empty where the file declares no table.
    anchor: String,
    x: Option<String>,
    /// What all rows start from; empty where they differ in it.
    of_html: String,
    /// What a figure draws.
    draws: Vec<String>,
    columns: Vec<String>,
    rows: Vec<RowView>,
    /// All its fields are shown for this many rows.
    closed: usize,
}

#[derive(Serialize)]
struct RowView {
    number: usize,
    label_html: String,
    of_html: String,
    /// Published numbers; a dash where there is none.
    expect: Vec<String>,
    fields: Vec<FieldView>,
}

/// One training step and the rows that have it.
#[derive(Serialize)]
pub(super) struct Step {
    rows: String,
    policy: String,
    loss: String,
    windows: String,
    graph_svg: String,
}

/// The tables of a program.
pub(super) fn tables(
    library: &Library,
    position: usize,
    program: &Program,
    sources: &Sources,
) -> Vec<TableView> {
    let is_declared = |table: &Table| {
        let mut decls = library.decls(position);
        decls.any(|decl| decl.name.value == table.name)
    };
    let view = |table: &Table| TableView {
        name: table.name.clone(),
        title: table.title.clone(),
        anchor: match is_declared(table) {
            true => anchor(&table.name),
            false => String::new(),
        },
        x: table.x.clone(),
        of_html: match common(table) {
            Some(of) => code::html(library, position, of, None),
            None => String::new(),
        },
        draws: table
            .drawings
            .iter()
            .map(|(name, _)| code::html(library, position, name, None))
            .chain(table.curves.iter().map(|curve| curve.name().to_owned()))
            .collect(),
        columns: table
            .scores
            .iter()
            .map(|(name, _)| code::html(library, position, name, None))
            .collect(),
        rows: (1..)
            .zip(&table.rows)
            .map(|(number, row)| RowView {
                number,
                label_html: code::html(library, position, &row.label, None),
                of_html: code::html(library, position, &row.of, None),
                expect: (0..table.scores.len())
                    .map(|column| row.expect.get(column).cloned().flatten())
                    .map(|number| number.unwrap_or_else(|| "–".into()))
                    .collect(),
                fields: match number <= MOST_CLOSED {
                    true => fields(library, position, &row.pretrain, &row.provenance, sources),
                    false => vec![],
                },
            })
            .collect(),
        closed: table.rows.len().min(MOST_CLOSED),
    };
    program.tables.iter().map(view).collect()
}

/// The pretraining that all rows start from, if it is one.
fn common(table: &Table) -> Option<&str> {
    let first = &table.rows.first()?.of;
    table
        .rows
        .iter()
        .all(|row| row.of == *first)
        .then_some(first)
}

/// The training steps that differ, and how many more there are among the rows that were looked at.
pub(super) fn steps(program: &Program) -> (Vec<Step>, usize) {
    let rows = program.tables.iter().flat_map(|table| {
        (1..)
            .zip(&table.rows)
            .map(move |(number, row)| (format!("{}:{number}", table.name), &row.pretrain))
    });
    let mut distinct: Vec<(Vec<String>, String, &Pretrain)> = vec![];
    for (row, pretrain) in rows.take(MOST_ROWS) {
        let text = graph::text(pretrain, "");
        match distinct.iter_mut().find(|(_, known, _)| *known == text) {
            Some((rows, ..)) => rows.push(row),
            None => distinct.push((vec![row], text, pretrain)),
        }
    }
    let more = distinct.len().saturating_sub(MOST_STEPS);
    let steps = distinct
        .into_iter()
        .take(MOST_STEPS)
        .enumerate()
        .map(|(number, (rows, _, pretrain))| step(number, &rows, pretrain));
    (steps.collect(), more)
}

fn step(number: usize, rows: &[String], pretrain: &Pretrain) -> Step {
    let windows = time::text(pretrain, "relax");
    let policy = windows.lines().next().unwrap_or("").to_owned();
    let shown = rows.len().min(6);
    let more = match rows.len() - shown {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let pairs = graph::pairs(&pretrain.loss).unwrap_or_default();
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(pair, weight)| format!("{pair} {weight}"))
        .collect();
    Step {
        rows: rows[..shown].join(", ") + &more,
        policy,
        loss: match pairs.is_empty() {
            true => format!("{} terms", pretrain.loss.terms.len()),
            false => pairs.join("  "),
        },
        windows,
        graph_svg: inline_svg(&graph::svg(pretrain, &rows[0]), number),
    }
}

/// A picture that may stand among others on one page: without its head, its names told apart by `number`, and no smaller on a
/// narrow page than can be read.
fn inline_svg(picture: &str, number: usize) -> String {
    let inside = picture.find("<svg ").map_or("", |at| &picture[at + 5..]);
    let width = inside.split('"').nth(1).unwrap_or("0");
    let picture = format!("<svg style=\"min-width: min({width}px, 104rem)\" {inside}");
    picture
        .replace("id=\"", &format!("id=\"g{number}-"))
        .replace("url(#", &format!("url(#g{number}-"))
        .replace("href=\"#", &format!("href=\"#g{number}-"))
}
