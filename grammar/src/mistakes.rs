//! Written messages for syntax mistakes: from the place where the grammar gave up to what is wrong and what to write.

mod brackets;
mod fields;
mod habits;
mod place;
mod table;

use crate::ast::{Expr, Use};
use crate::build::Form;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::{FileId, Span, Written};
use crate::split::{self, open_before};
use crate::tokens::{MOST, Tokens};
use place::Place;

/// A mistake and the change of the text after which reading can go on.
pub(crate) struct Mistake {
    pub diagnostic: Diagnostic,
    pub repair: Option<Repair>,
}

/// A change that keeps every other byte where it is.
pub(crate) enum Repair {
    /// Writes the text at the end of the range and blanks before it.
    Overwrite(usize, usize, String),
    /// Adds a closing bracket at the end.
    Append(&'static str),
}

impl Repair {
    /// The mended text; `None` where the replacement is longer than its place.
    pub fn apply(&self, text: &str) -> Option<String> {
        match self {
            Repair::Overwrite(start, end, new) => {
                let blanks = (end - start).checked_sub(new.len())?;
                Some(format!(
                    "{}{}{new}{}",
                    &text[..*start],
                    " ".repeat(blanks),
                    &text[*end..]
                ))
            }
            Repair::Append(close) => Some(format!("{text}\n{close}")),
        }
    }
}

/// What is wrong with a file as a whole, so that its parts need no look: C++, nested beyond reading, or without end.
pub(crate) fn whole_file(tokens: &Tokens, file: FileId) -> Option<Diagnostic> {
    cplusplus(tokens, file)
        .or_else(|| too_deep(tokens, file))
        .or_else(|| too_long(tokens, file))
}

fn too_deep(tokens: &Tokens, file: FileId) -> Option<Diagnostic> {
    let token = tokens.list[split::too_deep(tokens)?];
    let span = Span::new(file, token.start, token.end);
    let message = "this is nested too deeply to be read";
    Some(
        Diagnostic::error(codes::TOO_DEEP, span, message)
            .help("name the inner parts with `let` and use the names"),
    )
}

fn too_long(tokens: &Tokens, file: FileId) -> Option<Diagnostic> {
    let cut = tokens.cut?;
    let message = format!("a file has at most {MOST} words, signs and comments, this one has more");
    Some(
        Diagnostic::error(codes::TOO_DEEP, Span::new(file, cut, cut), message)
            .help("write rows that differ in a value with `for x in range(1, 100) { row }`"),
    )
}

/// Signs of C++ that no file of ours can have: its directives are comments here, so they are looked for in those.
fn cplusplus(tokens: &Tokens, file: FileId) -> Option<Diagnostic> {
    let is_directive = |text: &str| {
        let mut words = text.splitn(2, [' ', '\t', '<', '"']);
        let (word, rest) = (
            words.next().unwrap_or(""),
            words.next().unwrap_or("").trim(),
        );
        match word {
            "include" => rest.ends_with(['>', '"']),
            "pragma" => rest == "once",
            "ifndef" | "define" => {
                !rest.is_empty() && rest.chars().all(|c| c.is_ascii_uppercase() || c == '_')
            }
            _ => false,
        }
    };
    let directive = tokens
        .comments
        .iter()
        .find(|&&(start, end)| is_directive(tokens.text[start..end].trim_end()));
    let sign = (0..tokens.list.len()).find(|&i| {
        tokens.at(i) == "::"
            || tokens.at(i) == "using" && tokens.at(i + 1) == "namespace"
            || tokens.at(i) == "template" && tokens.at(i + 1) == "<"
            || tokens.at(i) == "int" && tokens.at(i + 1) == "main"
    });
    let place = directive
        .map(|&(start, end)| (start - 1, start + tokens.text[start..end].trim_end().len()))
        .or_else(|| sign.map(|i| (tokens.list[i].start, tokens.list[i].end)))?;
    Some(
        Diagnostic::error(
            codes::CPLUSPLUS,
            Span::new(file, place.0, place.1),
            "this is C++",
        )
        .note("C++ and crisscross share the suffix `.cc`")
        .help("a `.cc` file of crisscross starts with `use paper`"),
    )
}

/// An expression that stands before declarations.
pub(crate) fn lone_expression(expr: &Expr) -> Diagnostic {
    Diagnostic::error(
        codes::LONE_EXPRESSION,
        expr.span,
        "an expression stands alone only where it is the whole file",
    )
    .help("give it a name, `loss mine = ...`, or remove what follows it")
}

/// A `use` after a declaration; `last` is the last one before all declarations.
pub(crate) fn late_use(line: &Use, last: Option<&Use>, text: &str) -> Diagnostic {
    let (start, end) = (line.span.start as usize, line.span.end as usize);
    let written = &text[start..end];
    let (place, moved) = match last {
        Some(last) => (last.span.end as usize, format!("\n{written}")),
        None => (0, format!("{written}\n\n")),
    };
    // Its line goes if nothing else stands on it.
    let before = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let after = text[end..].find('\n').map_or(text.len(), |at| end + at + 1);
    let is_alone = text[before..start].trim().is_empty() && text[end..after].trim().is_empty();
    let (from, to) = if is_alone {
        (before, after)
    } else {
        (start, end)
    };
    let file = line.span.file;
    Diagnostic::error(
        codes::UNEXPECTED,
        line.span,
        "`use` lines stand before all declarations",
    )
    .help("move this line to the top of the file")
    .edit(Span::new(file, place, place), moved)
    .edit(Span::new(file, from, to), "")
}

/// Says what is wrong at byte `at` of `tokens.text`, a copy of what is `written`. `next` is the word that opens what comes
/// after this stretch.
pub(crate) fn explain(
    tokens: &Tokens,
    form: Form,
    at: usize,
    written: Written,
    next: &str,
) -> Mistake {
    let i = tokens.index_at(at);
    let place = Place {
        tokens,
        i,
        open: open_before(tokens, i),
        form,
        written,
        next,
    };
    table::MISTAKES
        .iter()
        .find_map(|known| known(&place))
        .unwrap_or_else(|| table::unexpected(&place))
}
