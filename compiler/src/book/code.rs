//! Source text as HTML: names lead to their declarations, operators, kinds and fields to the catalogue.

use super::escape;
use super::library::{Library, REFERENCE, linked};
use crate::catalog;
use grammar::ast::Kind;
use std::collections::BTreeSet;

/// One piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Blank,
    Comment,
    Text,
    Number,
    Word,
    Sign,
}

/// The text of a declaration of `kind`, or an expression where there is none, as it stands in a module.
pub(super) fn html(library: &Library, module: usize, text: &str, kind: Option<Kind>) -> String {
    let pieces = pieces(text);
    let solid: Vec<usize> = (0..pieces.len())
        .filter(|&i| !matches!(pieces[i].0, Shape::Blank | Shape::Comment))
        .collect();
    let at = |place: Option<usize>| {
        place
            .and_then(|p| solid.get(p))
            .map_or("", |&i| pieces[i].1)
    };
    let locals = locals(&pieces, &solid, kind);
    let mut out = String::new();
    let mut place = 0;
    for (i, (shape, piece)) in pieces.iter().enumerate() {
        let position = solid.get(place).copied() == Some(i);
        let (before, after, second) = (
            at(place.checked_sub(1)),
            at(Some(place + 1)),
            at(Some(place + 2)),
        );
        match shape {
            Shape::Blank | Shape::Sign => out += &escape(piece),
            Shape::Comment => out += &format!("<span class=\"c\">{}</span>", escape(piece)),
            Shape::Text => out += &format!("<span class=\"s\">{}</span>", escape(piece)),
            Shape::Number => out += &format!("<span class=\"n\">{}</span>", escape(piece)),
            Shape::Word => {
                let is_field = after == "=" && second != "=" || after == ".";
                let word = Word {
                    text: piece,
                    is_first: place == 0 && kind.is_some(),
                    is_name: place == 1 && kind.is_some(),
                    is_member: before == ".",
                    is_argument: after == ":",
                    is_field: is_field || matches!(before, "for"),
                };
                out += &word.html(library, module, kind, &locals);
            }
        }
        place += usize::from(position);
    }
    out
}

/// A word and where it stands.
struct Word<'t> {
    text: &'t str,
    is_first: bool,
    is_name: bool,
    is_member: bool,
    is_argument: bool,
    is_field: bool,
}

impl Word<'_> {
    fn html(
        &self,
        library: &Library,
        module: usize,
        kind: Option<Kind>,
        locals: &BTreeSet<&str>,
    ) -> String {
        let text = self.text;
        if self.is_first && kind.is_some_and(|kind| kind.word() == text) {
            return linked(&format!("{REFERENCE}#k-{text}"), text);
        }
        if self.is_name {
            return format!("<b>{}</b>", escape(text));
        }
        if catalog::RESERVED.iter().any(|(word, _)| *word == text) {
            return format!("<span class=\"k\">{}</span>", escape(text));
        }
        if self.is_argument || locals.contains(text) {
            return escape(text);
        }
        let field = || field(text, kind).map(|target| linked(&target, text));
        if self.is_member {
            return field().unwrap_or_else(|| escape(text));
        }
        if self.is_field
            && let Some(html) = field()
        {
            return html;
        }
        match library.link(module, text, kind) {
            Some(target) => linked(&target, text),
            None => escape(text),
        }
    }
}

/// Where a field stands in the catalogue. In a table stand the fields of its rows.
fn field(name: &str, kind: Option<Kind>) -> Option<String> {
    let own: &[&str] = match kind {
        Some(Kind::Eval) => &["eval"],
        Some(Kind::Table) => &["table", "pretrain", "modality"],
        Some(Kind::Figure) => &["figure", "pretrain", "modality"],
        Some(
            Kind::Pretrain
            | Kind::Modality
            | Kind::Data
            | Kind::Augment
            | Kind::Layers
            | Kind::Relaxation
            | Kind::Loss
            | Kind::Let,
        )
        | None => &["pretrain", "modality"],
    };
    own.iter().find_map(|record| {
        let (_, _, fields) = super::reference::RECORDS
            .iter()
            .find(|(known, ..)| known == record)?;
        let known = fields.iter().any(|field| field.name == name);
        known.then(|| format!("{REFERENCE}#f-{record}-{name}"))
    })
}

/// Names that the text itself binds: parameters, and what `for` ranges with.
fn locals<'t>(
    pieces: &[(Shape, &'t str)],
    solid: &[usize],
    kind: Option<Kind>,
) -> BTreeSet<&'t str> {
    let word = |p: usize| {
        let &i = solid.get(p)?;
        (pieces[i].0 == Shape::Word).then_some(pieces[i].1)
    };
    let sign = |p: usize| solid.get(p).map_or("", |&i| pieces[i].1);
    let mut found = BTreeSet::new();
    if kind.is_some() && sign(2) == "(" {
        let end = (3..solid.len()).find(|&p| sign(p) == ")").unwrap_or(3);
        // `D(p, z) = ...` has parameters; in `x = f(y)` the bracket comes later.
        found.extend((3..end).filter_map(word));
    }
    if !matches!(kind, Some(Kind::Loss | Kind::Let | Kind::Pretrain) | None) {
        return found;
    }
    for p in 1..solid.len() {
        if sign(p) != "in" {
            continue;
        }
        found.extend(word(p - 1));
        // `m < n in xs`, `i != j in xs`: the sign is one piece or two.
        let back = (1..=3).find(|n| {
            p > *n && word(p - n - 1).is_some() && matches!(sign(p - n), "<" | "=" | "!")
        });
        found.extend(back.and_then(|n| word(p - n - 1)));
    }
    found
}

/// The text cut into pieces that together are the text.
fn pieces(text: &str) -> Vec<(Shape, &str)> {
    let mut pieces = vec![];
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let until = |stop: &dyn Fn(char) -> bool| rest.find(stop).unwrap_or(rest.len());
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let (shape, length) = match first {
            c if c.is_whitespace() => (Shape::Blank, until(&|c| !c.is_whitespace())),
            '#' => (Shape::Comment, until(&|c| c == '\n')),
            '"' => {
                let close = rest[1..].find(['"', '\n']).map_or(rest.len(), |at| at + 2);
                (Shape::Text, close.min(rest.len()))
            }
            c if c.is_ascii_digit() => (
                Shape::Number,
                until(&|c| !(is_name(c) || matches!(c, '.' | '%'))),
            ),
            c if is_name(c) => (Shape::Word, until(&|c| !is_name(c))),
            c => (Shape::Sign, c.len_utf8()),
        };
        let (piece, left) = rest.split_at(length);
        pieces.push((shape, piece));
        rest = left;
    }
    pieces
}
