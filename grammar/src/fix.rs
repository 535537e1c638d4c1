//! Mends a text by the edits that need no asking.

use crate::diagnostic::{Code, Diagnostic, Edit};
use crate::span::{FileId, Sources};

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
    let mut changes = vec![];
    let mut chosen: Vec<&Edit> = vec![];
    for diagnostic in found {
        let mut edits: Vec<&Edit> = diagnostic.edits.iter().filter(|e| e.is_certain).collect();
        edits.sort_by_key(|edit| edit.span);
        let is_free = |edit: &&Edit| {
            let touches = |other: &&Edit| {
                edit.span.start <= other.span.end && other.span.start <= edit.span.end
            };
            edit.span.file == file && !chosen.iter().any(touches)
        };
        if edits.is_empty() || !edits.iter().all(is_free) {
            continue;
        }
        let (before, after) = words(text, &edits);
        changes.push(Change {
            code: diagnostic.code,
            place: sources.line_column(file, edits[0].span.start),
            before,
            after,
        });
        chosen.extend(edits);
    }
    chosen.sort_by_key(|edit| edit.span);
    (changed(text, 0, text.len(), &chosen), changes)
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
