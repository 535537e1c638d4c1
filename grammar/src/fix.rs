//! Mends a text by the edits that need no asking.

use crate::diagnostic::{Code, Diagnostic, Edit};
use crate::span::{FileId, Sources, Span};

/// One mistake that was mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The code of the message whose edits were applied.
    pub code: Code,
    /// Line and column where the first of them begins, both from 1, in the text before.
    pub place: (u32, u32),
    /// The words that changed, as they were.
    pub before: String,
    /// The same words after it.
    pub after: String,
}

/// Applies the certain edits of `found` to `file`: all of a message or none, and of two messages that change the same place the
/// first. Mistakes that hide others are found by checking the new text again.
pub fn apply(sources: &Sources, file: FileId, found: &[Diagnostic]) -> (String, Vec<Change>) {
    let text = &sources.get(file).text;
    let chosen = chosen(file, found);
    let changes = chosen.iter().map(|(diagnostic, edits)| {
        let (before, after) = words(text, edits);
        Change {
            code: diagnostic.code,
            place: sources.line_column(file, edits[0].span.start),
            before,
            after,
        }
    });
    let changes = changes.collect();
    (changed(text, 0, text.len(), &in_order(&chosen)), changes)
}

/// A stretch of a file, of which byte `offset` is its first, with the certain edits of `found` applied as [`apply`] does.
pub(crate) fn mended(file: FileId, offset: usize, text: &str, found: &[Diagnostic]) -> String {
    let chosen = chosen(file, found);
    let moved: Vec<Edit> = in_order(&chosen)
        .into_iter()
        .map(|edit| {
            let within = |at: u32| (at as usize).saturating_sub(offset).min(text.len());
            Edit {
                span: Span::new(file, within(edit.span.start), within(edit.span.end)),
                ..edit.clone()
            }
        })
        .collect();
    changed(text, 0, text.len(), &moved.iter().collect::<Vec<_>>())
}

/// The messages whose certain edits are applied, each with them in order.
fn chosen(file: FileId, found: &[Diagnostic]) -> Vec<(&Diagnostic, Vec<&Edit>)> {
    let mut chosen: Vec<(&Diagnostic, Vec<&Edit>)> = vec![];
    for diagnostic in found {
        let mut edits: Vec<&Edit> = diagnostic.edits.iter().filter(|e| e.is_certain).collect();
        edits.sort_by_key(|edit| edit.span);
        let is_free = |edit: &&Edit| {
            let touches = |other: &&Edit| {
                edit.span.start <= other.span.end && other.span.start <= edit.span.end
            };
            let mut others = chosen.iter().flat_map(|(_, edits)| edits);
            edit.span.file == file && !others.any(touches)
        };
        if !edits.is_empty() && edits.iter().all(is_free) {
            chosen.push((diagnostic, edits));
        }
    }
    chosen
}

/// All edits, in the order of the text.
fn in_order<'e>(chosen: &[(&Diagnostic, Vec<&'e Edit>)]) -> Vec<&'e Edit> {
    let mut edits: Vec<&Edit> = chosen
        .iter()
        .flat_map(|(_, edits)| edits)
        .copied()
        .collect();
    edits.sort_by_key(|edit| edit.span);
    edits
}

/// The bytes `from..to` of `text` with `edits`, which lie in them in order, applied.
fn changed(text: &str, from: usize, to: usize, edits: &[&Edit]) -> String {
    let mut made = String::new();
    let mut at = from;
    for edit in edits {
        made += &text[at..edit.span.start as usize];
        made += &edit.text;
        at = edit.span.end as usize;
    }
    made + &text[at..to]
}

/// The words that the edits change, before and after; a change of nothing but blanks is shown with the words around it.
fn words(text: &str, edits: &[&Edit]) -> (String, String) {
    let (first, last) = (edits[0].span, edits[edits.len() - 1].span);
    let (first, last) = (first.start as usize, last.end as usize);
    let from = text[..first].rfind(char::is_whitespace).map_or(0, |at| {
        at + text[at..].chars().next().map_or(1, char::len_utf8)
    });
    let to = text[last..]
        .find(char::is_whitespace)
        .map_or(text.len(), |at| last + at);
    let line = |text: &str| text.trim().replace("\r\n", "\n").replace('\n', "\\n");
    (line(&text[from..to]), line(&changed(text, from, to, edits)))
}
