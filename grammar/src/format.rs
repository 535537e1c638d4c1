//! The canonical layout of a file. It has no options.
//!
//! What the author chose stays: which fields share a line, single blank lines, where a long sum is broken, and whether a list or
//! block is spread over lines. Everything else is made: two blanks for each block, three between fields of one line and before
//! `expect` and comments, one around operators except in `MSC-HF`, `fc(64)-bn-relu` and `1/2`; a line of more than 130 characters
//! is broken at its sums, else at its last bracket. Consecutive lines of one paragraph align: the `=` of one-line declarations and
//! of lines with as many fields, what follows it where both go on alike (the same function and arguments, `with`, the same
//! fields of rows), `expect` and its numbers, and comments behind lines. The rows of `for` stand in braces, and a list that is
//! spread over lines ends with a comma.

mod columns;
mod flat;
mod print;
mod tree;

use crate::ast::File;
use crate::diagnostic::Diagnostic;
use crate::places::same_but_for_places;
use crate::span::{FileId, Sources};
use crate::tokens::Tokens;

/// The file in the canonical layout, or its mistakes of syntax. Every comment is kept, and the tree is the same up to places.
/// Lines end as the first line does.
///
/// `None` where a comment stands so that no layout keeps it and what it is about: a doc comment inside a value that shares its
/// line with another field.
pub fn format(sources: &Sources, file: FileId) -> Result<Option<String>, Vec<Diagnostic>> {
    let (tree, found) = crate::parse(sources, file);
    if !found.is_empty() {
        return Err(found);
    }
    let made = lay_out(&sources.get(file).text, &tree);
    Ok(keeps(&made, &tree).then_some(made))
}

/// The text in the canonical layout.
fn lay_out(text: &str, tree: &File) -> String {
    let tokens = Tokens::new(text);
    let mut layout = tree::read(&tokens, tree.bare.is_some());
    layout.entries.iter_mut().for_each(flat::tighten_entry);
    let made = columns::lay_out(&print::lines(&layout));
    let is_crlf = text.find('\n').is_some_and(|at| text[..at].ends_with('\r'));
    if is_crlf {
        made.replace('\n', "\r\n")
    } else {
        made
    }
}

/// The new text says what the old tree says, with all its comments.
fn keeps(made: &str, old: &File) -> bool {
    let mut sources = Sources::default();
    let id = sources.add("", made);
    // Braces and commas may have been added.
    let (new, found) = crate::parse_up_to(&sources, id, usize::MAX);
    let comments = |file: &File| -> Vec<String> {
        let texts = file.comments.iter().map(|c| c.value.trim_end().to_owned());
        texts.collect()
    };
    found.is_empty() && same_but_for_places(&new, old) && comments(&new) == comments(old)
}
