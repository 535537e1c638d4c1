//! What a question comes to, as lines and as JSON.

use crate::plan::{StageId, Work};
use grammar::span::{Sources, Span};
use serde::Serialize;

/// An answer: things in a stable order.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// The question as asked.
    pub query: String,
    /// What it comes to.
    pub items: Vec<Item>,
}

/// One thing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Item {
    /// `row`, `pretraining`, `loss`, ...
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// `paper.cc:77`; nothing for a stage or a module.
    pub place: Option<String>,
    /// The stage, or the pretraining of a row.
    pub id: Option<StageId>,
    /// A label, a title, or the rows that share it.
    pub note: Option<String>,
}

impl Item {
    /// A thing with nothing but its name.
    pub(super) fn plain(kind: &'static str, name: &str) -> Self {
        Item {
            kind,
            name: name.to_owned(),
            place: None,
            id: None,
            note: None,
        }
    }
}

impl Answer {
    /// One line for each thing, in columns: kind, name, stage, place, note.
    pub fn text(&self) -> String {
        if self.items.is_empty() {
            return "nothing\n".to_owned();
        }
        let cells = |item: &Item| {
            let id = item.id.as_ref().map_or("", |id| id.short());
            let place = item.place.as_deref().unwrap_or_default();
            [
                item.kind,
                &item.name,
                id,
                place,
                item.note.as_deref().unwrap_or_default(),
            ]
            .map(str::to_owned)
        };
        let rows: Vec<[String; 5]> = self.items.iter().map(cells).collect();
        let width = |column: usize| {
            let lengths = rows.iter().map(|row| row[column].chars().count());
            lengths.max().unwrap_or(0)
        };
        let widths = [0, 1, 2, 3].map(width);
        let mut out = String::new();
        for row in &rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(widths.iter().chain([&0])) {
                if *width > 0 || !cell.is_empty() {
                    line += &format!("{cell:width$}  ");
                }
            }
            out += line.trim_end();
            out += "\n";
        }
        out
    }

    /// The same for programs.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("answers are plain data")
    }
}

/// `paper.cc:77`.
pub(super) fn place(sources: &Sources, span: Span) -> Option<String> {
    let (line, _) = sources.line_column(span.file, span.start);
    Some(format!("{}:{line}", sources.get(span.file).name))
}

/// What a stage is called.
pub(super) fn stage_kind(work: &Work) -> &'static str {
    match work {
        Work::Pretrain(_) => "pretraining",
        Work::Extract(_) => "extraction",
        Work::Finetune(_) => "finetuning",
        Work::Score(_) => "score",
        Work::Draw(_) => "drawing",
    }
}

/// Stages of one kind stand together, in the order in which they need each other.
pub(super) fn rank(kind: &str) -> usize {
    let kinds = [
        "pretraining",
        "extraction",
        "finetuning",
        "score",
        "drawing",
    ];
    kinds
        .iter()
        .position(|known| *known == kind)
        .unwrap_or(kinds.len())
}
