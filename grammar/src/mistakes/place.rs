//! Where the grammar gave up, and questions about its surroundings.

use super::{Mistake, Repair};
use crate::build::Form;
use crate::diagnostic::{Code, Diagnostic};
use crate::span::{Span, Written};
use crate::split::{item_around, opens_item, path_end};
use crate::tokens::{RESERVED, Shape, Tokens};

/// The offending token and what stands around it.
pub(super) struct Place<'t> {
    pub tokens: &'t Tokens<'t>,
    /// The offending token; the number of tokens at the end of the text.
    pub i: usize,
    /// The brackets open before it, outermost first.
    pub open: Vec<usize>,
    /// What the text should be.
    pub form: Form,
    pub written: Written<'t>,
    /// The word that opens what comes after the text; empty at the end of the file.
    pub next: &'t str,
}

/// What the innermost open bracket encloses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inside {
    /// Nothing: between or in declarations.
    Top,
    /// Fields and rows.
    Block,
    /// Arguments of a call, or parameters.
    Args,
    /// Members of a tuple.
    Tuple,
    /// Members of a list, or an index.
    List,
}

impl Place<'_> {
    /// The text of token `i`; empty outside the text.
    pub fn at(&self, i: usize) -> &str {
        self.tokens.at(i)
    }

    /// The offending token.
    pub fn here(&self) -> &str {
        self.at(self.i)
    }

    /// The token `back` places before the offending one; empty before the text.
    pub fn before(&self, back: usize) -> &str {
        self.i.checked_sub(back).map_or("", |i| self.at(i))
    }

    pub fn shape(&self, i: usize) -> Option<Shape> {
        self.tokens.shape(i)
    }

    pub fn is_at_end(&self) -> bool {
        self.i >= self.tokens.list.len()
    }

    /// What the innermost open bracket encloses.
    pub fn inside(&self) -> Inside {
        let Some(&open) = self.open.last() else {
            return Inside::Top;
        };
        let follows_value = open.checked_sub(1).is_some_and(|i| self.ends_value(i));
        match self.at(open) {
            "{" => Inside::Block,
            "[" => Inside::List,
            _ if follows_value => Inside::Args,
            _ => Inside::Tuple,
        }
    }

    /// Token `i` is the first on its line.
    pub fn is_first_on_line(&self, i: usize) -> bool {
        self.tokens.list.get(i).is_some_and(|t| t.first_on_line)
    }

    /// An expression can end with token `i`.
    pub fn ends_value(&self, i: usize) -> bool {
        match self.shape(i) {
            Some(Shape::Word) => self.tokens.is_name(i),
            Some(Shape::Number | Shape::Text) => true,
            Some(Shape::Sign) => matches!(self.at(i), ")" | "]" | "}"),
            Some(Shape::OpenText | Shape::Stray) | None => false,
        }
    }

    /// An expression can start with token `i`.
    pub fn starts_value(&self, i: usize) -> bool {
        match self.shape(i) {
            Some(Shape::Word) => self.tokens.is_name(i),
            Some(Shape::Number | Shape::Text) => true,
            Some(Shape::Sign) => matches!(self.at(i), "(" | "["),
            Some(Shape::OpenText | Shape::Stray) | None => false,
        }
    }

    /// Token `i` joins two values.
    pub fn joins(&self, i: usize) -> bool {
        matches!(
            self.at(i),
            "+" | "-" | "*" | "/" | "->" | "==" | "<=" | ">=" | "<" | ">" | "@" | "on"
        )
    }

    /// A value is due after token `i`.
    pub fn wants_value(&self, i: usize) -> bool {
        self.joins(i) || matches!(self.at(i), "=" | ":" | "(" | "[" | "," | "in")
    }

    /// A reserved word, a bracket that closes or the end: no value goes on here.
    pub fn stops(&self, i: usize) -> bool {
        matches!(self.at(i), "" | "," | ";" | ")" | "]" | "}" | "{")
            || RESERVED.contains(&self.at(i))
    }

    /// The nearest word that starts a row before the offending token, if no other item began since.
    pub fn is_in_row(&self) -> bool {
        let from = self.open.last().map_or(0, |&open| open + 1);
        let item =
            item_around(self.tokens, self.i.saturating_sub(1)).map_or(from, |(start, _)| start);
        (item.max(from)..self.i).any(|j| self.at(j) == "row")
    }

    /// The item around the offending token says what is expected.
    pub fn is_expected(&self) -> bool {
        let probe = self.i.saturating_sub(1);
        let start = item_around(self.tokens, probe).map_or(0, |(start, _)| start);
        (start..self.i).any(|j| self.at(j) == "expect")
    }

    /// What a value after token `i` would be called.
    pub fn value_word(&self, i: usize) -> &'static str {
        if !matches!(self.inside(), Inside::Top | Inside::Block | Inside::Tuple) {
            return "a value";
        }
        let is_loss = match item_around(self.tokens, i) {
            Some((start, _)) => (start..=i).any(|j| self.at(j) == "loss" && self.at(j + 1) == "="),
            None => {
                matches!(self.at(0), "loss" | "assert")
                    || (0..self.tokens.list.len()).all(|j| self.at(j) != "=")
            }
        };
        if is_loss { "a loss term" } else { "a value" }
    }

    /// The bytes of tokens `from..=to` in the file.
    pub fn span_of(&self, from: usize, to: usize) -> Span {
        let (start, end) = self.bytes_of(from, to);
        self.span_between(start, end)
    }

    /// Tokens `from..=to` as they stand in the copy that is read; empty where there is nothing from the one to the other.
    pub fn text_of(&self, from: usize, to: usize) -> &str {
        let (start, end) = self.bytes_of(from, to);
        self.tokens.text.get(start..end).unwrap_or("")
    }

    /// Where in the copy that is read tokens `from..=to` begin and end.
    fn bytes_of(&self, from: usize, to: usize) -> (usize, usize) {
        let end = self.tokens.text.trim_end().len();
        let start = self.tokens.list.get(from).map_or(end, |t| t.start);
        let end = self.tokens.list.get(to).map_or(end, |t| t.end);
        let written = self.written.text.len();
        (start.min(written), end.min(written))
    }

    /// The bytes `start..end` of the text, in the file.
    pub fn span_between(&self, start: usize, end: usize) -> Span {
        self.written.span(start, end)
    }

    /// The offending token's bytes; at the end of the text, the empty place after the last token.
    pub fn span(&self) -> Span {
        if self.is_at_end() {
            self.after(self.i.wrapping_sub(1))
        } else {
            self.span_of(self.i, self.i)
        }
    }

    /// The empty place directly after token `i`.
    pub fn after(&self, i: usize) -> Span {
        let end = self.end_of(i);
        self.span_between(end, end)
    }

    /// The empty place after the last token of what is written, of which the copy that is read may hold less.
    pub fn end_of_written(&self) -> Span {
        let end = Tokens::new(self.written.text).last_end(0, usize::MAX);
        self.span_between(end, end)
    }

    /// Where in the copy that is read token `i` ends.
    fn end_of(&self, i: usize) -> usize {
        self.tokens.list.get(i).map_or(0, |t| t.end)
    }

    /// The offending token in words.
    pub fn found(&self) -> String {
        match self.shape(self.i) {
            None => "the end of the text".to_owned(),
            Some(Shape::Text) => format!("the text `{}`", self.here()),
            Some(_) => format!("`{}`", self.here()),
        }
    }

    /// An error at `span` after which the whole block item around the offending token is skipped.
    pub fn skip(&self, diagnostic: Diagnostic) -> Mistake {
        // Where the next item begins, the one before it lacks its end.
        let begins = !self.is_at_end() && opens_item(self.tokens, self.i);
        let probe = match self.i.checked_sub(1) {
            Some(before) if begins || self.is_at_end() => before,
            Some(_) | None => self.i,
        };
        let repair =
            item_around(self.tokens, probe).and_then(|(start, end)| self.blank(start, end));
        Mistake { diagnostic, repair }
    }

    /// An error after which tokens `start..end` are skipped.
    pub fn blank(&self, start: usize, end: usize) -> Option<Repair> {
        let (first, last) = (
            self.tokens.list.get(start)?,
            self.tokens.list.get(end.checked_sub(1)?)?,
        );
        (first.start < last.end).then(|| Repair::Overwrite(first.start, last.end, String::new()))
    }

    /// An error that replacing tokens `from..=to` by `new` mends: said in the edit and done for further reading.
    pub fn replace(&self, diagnostic: Diagnostic, from: usize, to: usize, new: &str) -> Mistake {
        let span = self.span_of(from, to);
        let (start, end) = self.bytes_of(from, to);
        let help = if new.is_empty() {
            "remove it".to_owned()
        } else {
            format!("write `{new}`")
        };
        let diagnostic = if diagnostic.help.is_none() {
            diagnostic.help(help)
        } else {
            diagnostic
        };
        // Without the sign between them two words would be one.
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let joins = new.is_empty()
            && self.tokens.text[..start].ends_with(is_word)
            && self.tokens.text[end..].starts_with(is_word);
        let diagnostic = diagnostic.edit(span, if joins { " " } else { new });
        if new.len() > end - start {
            return self.skip(diagnostic);
        }
        Mistake {
            diagnostic,
            repair: Some(Repair::Overwrite(start, end, new.to_owned())),
        }
    }

    /// An error that inserting `new` directly after token `i` mends.
    pub fn insert_after(&self, diagnostic: Diagnostic, i: usize, new: &str) -> Mistake {
        let place = self.after(i);
        let start = self.end_of(i).min(self.written.text.len());
        let blank = self.tokens.text[start..].starts_with([' ', '\n', '\t']);
        let repair = blank.then(|| Repair::Overwrite(start, start + 1, new.trim().to_owned()));
        Mistake {
            diagnostic: diagnostic.edit(place, new),
            repair,
        }
    }

    /// An error at the offending token.
    pub fn error(&self, code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, self.span(), message)
    }

    /// The first token of the dotted name that ends before token `end`.
    pub fn path_start(&self, end: usize) -> Option<usize> {
        let mut start = end.checked_sub(1)?;
        while start >= 2 && self.at(start - 1) == "." {
            start -= 2;
        }
        (path_end(self.tokens, start) == Some(end)).then_some(start)
    }
}
