//! How `explain` prints the places of a value, what its names stand for, and who uses it.

use compiler::columns;
use compiler::hir::{Program, Protocol, Provenance};
use compiler::origins::{Named, Place, Texts, winner};
use grammar::span::Span;
use serde_json::{Value, json};

use super::named::Read;

/// The places of the value at `path`, the one that counts last.
pub fn places(texts: &Texts<'_>, provenance: &Provenance, path: &str) -> Vec<Place> {
    let chain = texts.chain(provenance, path).into_iter();
    chain.map(|(_, place)| place).collect()
}

/// The places in order, the one that counts marked, then its notes.
pub fn place_lines(places: &[Place]) -> String {
    // `lr_b` and `v.lr_b` may both set one value.
    let written: Vec<&String> = places
        .iter()
        .filter_map(|place| place.field.as_ref())
        .collect();
    let is_mixed = written.windows(2).any(|two| two[0] != two[1]);
    let rows = places.iter().enumerate().map(|(at, place)| {
        let field = match &place.field {
            Some(field) if is_mixed => format!("{} {field}", place.setter),
            Some(_) | None => place.setter.clone(),
        };
        let wins = if at + 1 == places.len() && places.len() > 1 {
            "<- wins"
        } else {
            ""
        };
        [
            (at + 1).to_string(),
            format!("{}:{}", place.file, place.line),
            field,
            place.value.clone(),
            place.sources.join(" | "),
            wins.to_owned(),
        ]
    });
    let mut text = columns(&rows.collect::<Vec<_>>(), 3);
    for note in places.last().iter().flat_map(|place| &place.notes) {
        text += &format!("  note  {note}\n");
    }
    text
}

/// A field with the place that counts, as a line of columns.
pub fn field_line(path: &str, place: &Place) -> [String; 5] {
    [
        path.to_owned(),
        place.value.clone(),
        format!("{}:{}", place.file, place.line),
        place.setter.clone(),
        place.sources.join(" | "),
    ]
}

/// What the names of a value stand for.
pub fn name_lines(names: &[Named]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let rows = names.iter().map(|named| {
        [
            named.name.clone(),
            format!("{}:{}", named.file, named.line),
            named.value.clone(),
            named.sources.join(" | "),
        ]
    });
    let rows = columns(&rows.collect::<Vec<_>>(), 3);
    let indented = rows.lines().map(|line| format!("  {line}\n"));
    format!("  made of\n{}", indented.collect::<String>())
}

/// The rows of a table of a file that use a value; `None` for all of them.
pub struct Use {
    file: String,
    table: String,
    rows: Option<Vec<usize>>,
}

impl Use {
    /// The same for programs.
    pub fn json(&self) -> Value {
        json!({ "file": self.file, "table": self.table, "rows": self.rows })
    }
}

/// The rows of all files that were read whose value at `path` was set last at `span`.
pub fn uses(read: &Read, span: Span, path: &str) -> Vec<Use> {
    let programs = read.compiled.programs.iter();
    let programs = programs.filter_map(|(file, program)| Some((file, program.as_ref()?)));
    let mut found = vec![];
    for (file, program) in programs {
        for table in &program.tables {
            let is_used = |provenance: &Provenance| winner(provenance, path) == Some(span);
            let rows = table.rows.iter().filter(|row| is_used(&row.provenance));
            let rows: Vec<usize> = rows.map(|row| row.number).collect();
            let all = rows.len() == table.rows.len();
            if !rows.is_empty() {
                found.push(Use {
                    file: file.clone(),
                    table: table.name.clone(),
                    rows: (!all).then_some(rows),
                });
            }
        }
    }
    found
}

/// The rows that use a value, as `table1:3-11`.
pub fn used_line(uses: &[Use]) -> String {
    let shown = uses.iter().map(|of| match &of.rows {
        None => of.table.clone(),
        Some(rows) => {
            let runs = rows.chunk_by(|a, b| a + 1 == *b).map(|run| match run {
                [first, .., last] => format!("{first}-{last}"),
                [one] => one.to_string(),
                [] => String::new(),
            });
            format!("{}:{}", of.table, runs.collect::<Vec<_>>().join(","))
        }
    });
    used_by(&shown.collect::<Vec<_>>())
}

/// The line of what uses a value or a declaration.
pub fn used_by(names: &[String]) -> String {
    match names {
        [] => String::new(),
        some => format!("  used by     {}\n", some.join(", ")),
    }
}

/// The tables that have a column by a protocol of this name.
pub fn tables_with_column(read: &Read, name: &str) -> Vec<String> {
    let own = std::iter::once(&read.program);
    let others = read.compiled.programs.iter();
    let others = others.filter_map(|(_, program)| program.as_ref());
    let tables = own
        .chain(others)
        .flat_map(|program: &Program| &program.tables);
    let is_word = |label: &str| {
        let mut words = label.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        words.next() == Some(name)
    };
    let mut found: Vec<String> = vec![];
    for table in tables {
        let has = |(label, _): &(String, Protocol)| is_word(label);
        if table.scores.iter().any(has) && !found.contains(&table.name) {
            found.push(table.name.clone());
        }
    }
    found
}
