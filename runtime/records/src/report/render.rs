//! A report as text, Markdown, LaTeX or CSV, through the templates of `templates/`.

use super::{Column, Report, TableReport};
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior, context};
use serde::Serialize;

/// The form of a printed report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a terminal.
    Text,
    /// Markdown tables.
    Markdown,
    /// LaTeX tables that use `booktabs`.
    Tex,
    /// One line for each number, with a heading.
    Csv,
}

impl Report {
    /// The report in this form.
    pub fn render(&self, format: Format) -> String {
        let template = match format {
            Format::Text => include_str!("../../templates/table.txt"),
            Format::Markdown => include_str!("../../templates/table.md"),
            Format::Tex => include_str!("../../templates/table.tex"),
            Format::Csv => include_str!("../../templates/table.csv"),
        };
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.add_filter("md", |text: String| escape(&text, markdown));
        environment.add_filter("tex", |text: String| tex_text(&text));
        environment.add_filter("tex_note", tex_note);
        environment.add_filter("cell", cell);
        environment.add_filter("csv", csv);
        let tables: Vec<Drawn> = self
            .tables
            .iter()
            .map(|table| Drawn {
                table,
                grid: grid(table),
                seed_grid: seed_grid(table),
                has_spread: has_spread(table),
                has_expected: table.columns.iter().any(|column| column.has_expected),
            })
            .collect();
        let text = environment.render_str(
            template,
            context! { toy => self.toy, set => self.set.join("; "), tables => Value::from(Serde(&tables)) },
        );
        let text = text.expect("render: the templates fit the report");
        let lines: Vec<&str> = text.trim().lines().map(str::trim_end).collect();
        lines.join("\n") + "\n"
    }
}

/// A table and its picture for a terminal.
#[derive(Serialize)]
struct Drawn<'a> {
    #[serde(flatten)]
    table: &'a TableReport,
    grid: String,
    /// Rows of several seeds taken together; empty where there are none.
    seed_grid: String,
    /// Whether a deviation over folds stands behind a number.
    has_spread: bool,
    /// Whether any column has published numbers.
    has_expected: bool,
}

fn has_spread(table: &TableReport) -> bool {
    let mut cells = table.rows.iter().flat_map(|row| &row.cells);
    cells.any(|cell| cell.spread.is_some())
}

/// The table in columns.
fn grid(table: &TableReport) -> String {
    let lines = table.rows.iter().map(|row| {
        let mut line = vec![row.label.clone()];
        for (cell, column) in row.cells.iter().zip(&table.columns) {
            let mark = cell.mark.map_or(String::new(), |mark| format!(" [{mark}]"));
            let drawn = (column.is_drawn && cell.run.is_some()).then(|| "drawn".to_owned());
            line.push(dash(&cell.measured.clone().or(drawn)) + &mark);
            if cell.has_expected {
                line.extend([dash(&cell.expected), dash(&cell.difference)]);
            }
        }
        line
    });
    let all: Vec<&Column> = table.columns.iter().collect();
    columns(&all, &[], lines.collect())
}

/// The rows of several seeds in columns: mean and deviation, and the 95 % interval.
fn seed_grid(table: &TableReport) -> String {
    if table.seeds.is_empty() {
        return String::new();
    }
    let lines = table.seeds.iter().map(|group| {
        let mut line = vec![group.label.clone()];
        for cell in group.cells.iter().filter(|cell| !cell.is_drawn) {
            let spread = cell.deviation.as_ref();
            let spread = spread.map_or(String::new(), |deviation| format!(" ± {deviation}"));
            let interval = cell.interval.as_ref();
            line.extend([
                dash(&cell.mean) + &spread,
                cell.summary
                    .map_or("-".to_owned(), |summary| summary.n.to_string()),
                interval.map_or("-".to_owned(), |(low, high)| format!("{low} .. {high}")),
            ]);
            if cell.has_expected {
                line.extend([dash(&cell.expected), dash(&cell.difference)]);
            }
        }
        line
    });
    let shown = table.columns.iter().filter(|column| !column.is_drawn);
    columns(
        &shown.collect::<Vec<_>>(),
        &["seeds", "95 % of the mean"],
        lines.collect(),
    )
}

fn dash(text: &Option<String>) -> String {
    text.clone().unwrap_or_else(|| "-".to_owned())
}

/// The most characters of a line before a table is drawn with a line for each score instead of a column.
const WIDE: usize = 150;

/// Lines below the headings of these scores, each with these further ones: in columns, or below each other where that is too wide.
fn columns(scores: &[&Column], further: &[&str], lines: Vec<Vec<String>>) -> String {
    let beside = |has_expected: bool| -> Vec<String> {
        let expected = ["published", "difference"];
        let expected = expected.iter().filter(|_| has_expected);
        further
            .iter()
            .chain(expected)
            .map(|name| (*name).to_owned())
            .collect()
    };
    let mut header = vec![String::new()];
    for column in scores {
        header.push(column.name.clone());
        header.extend(beside(column.has_expected));
    }
    let wide = drawn(header, &lines, 1);
    let width = wide.lines().map(|line| line.chars().count()).max();
    if scores.len() < 2 || width.is_none_or(|width| width <= WIDE) {
        return wide;
    }
    let has_expected = scores.iter().any(|column| column.has_expected);
    let mut header = ["", "score", "measured"].map(str::to_owned).to_vec();
    header.extend(beside(has_expected));
    let mut long = vec![];
    for line in &lines {
        let (mut label, mut fields) = (line[0].as_str(), line[1..].iter().cloned());
        for column in scores {
            let mut line = vec![std::mem::take(&mut label).to_owned(), column.name.clone()];
            line.extend(fields.by_ref().take(1 + beside(column.has_expected).len()));
            line.resize(header.len(), String::new());
            long.push(line);
        }
    }
    drawn(header, &long, 2)
}

/// Lines below a header; those from column `first` on are numbers.
fn drawn(header: Vec<String>, lines: &[Vec<String>], first: usize) -> String {
    let mut grid = Table::new();
    grid.load_style(UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Disabled);
    let width = header.len();
    grid.set_header(header);
    for line in lines {
        grid.add_row(line);
    }
    for column in first..width {
        if let Some(column) = grid.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    grid.to_string()
}

/// `text` with each character as `replace` has it.
fn escape(text: &str, replace: fn(char) -> Option<&'static str>) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match replace(c) {
            Some(escaped) => out += escaped,
            None => out.push(c),
        }
    }
    out
}

fn markdown(c: char) -> Option<&'static str> {
    Some(match c {
        '|' => "\\|",
        '\\' => "\\\\",
        '*' => "\\*",
        '_' => "\\_",
        '`' => "\\`",
        '[' => "\\[",
        ']' => "\\]",
        '$' => "\\$",
        '<' => "&lt;",
        '\n' => " ",
        _ => return None,
    })
}

fn tex(c: char) -> Option<&'static str> {
    Some(match c {
        '\\' => "\\textbackslash{}",
        '&' => "\\&",
        '%' => "\\%",
        '$' => "\\$",
        '#' => "\\#",
        '_' => "\\_",
        '{' => "\\{",
        '}' => "\\}",
        '~' => "\\textasciitilde{}",
        '^' => "\\textasciicircum{}",
        '<' => "\\textless{}",
        '>' => "\\textgreater{}",
        // At the beginning of a row either would be taken for a part of the end of the row before.
        '`' => "\\textasciigrave{}",
        '[' => "{[}",
        '*' => "{*}",
        _ => return None,
    })
}

/// A text in LaTeX; two hyphens would be set as a dash.
fn tex_text(text: &str) -> String {
    escape(text, tex).replace("--", "-{}-")
}

/// A note in LaTeX: its mark as that of the table, and what stands in back-ticks as it is typed.
fn tex_note(note: String) -> String {
    let marked = note
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "));
    let (mark, text) = match marked {
        Some((mark, text)) if mark.parse::<usize>().is_ok() => {
            (format!("\\textsuperscript{{{mark}}} "), text)
        }
        Some(_) | None => (String::new(), note.as_str()),
    };
    let parts: Vec<&str> = text.split('`').collect();
    // One that is not closed is a sign of the text.
    if parts.len().is_multiple_of(2) {
        return mark + &tex_text(text);
    }
    let set = |(at, part): (usize, &&str)| match at % 2 {
        0 => tex_text(part),
        _ => format!("\\texttt{{{}}}", tex_text(part)),
    };
    mark + &parts.iter().enumerate().map(set).collect::<String>()
}

/// A number in LaTeX, its sign a minus and no hyphen; where there is none, a dash of two hyphens.
fn cell(text: String) -> String {
    match text.strip_prefix('-') {
        Some("-") => text,
        Some(number) if number.starts_with(|c: char| c.is_ascii_digit()) => format!("$-${number}"),
        Some(_) | None => escape(&text, tex),
    }
}

/// A CSV field: in quotes where it has to be.
fn csv(text: String) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}
