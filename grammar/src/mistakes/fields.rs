//! Fields and rows of which a part is missing or stands in another form.

use super::place::{Inside, Place};
use super::{Mistake, Repair};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;
use crate::split::{item_around, opens_item, path_end};
use crate::tokens::Shape;

/// The field that takes a word of the paper, where it is one.
pub(super) fn field_of(word: &str) -> Option<&'static str> {
    match word {
        "intra" | "sync" | "async" => Some("loss"),
        "none" | "mild" | "medium" | "extreme" | "mixed" => Some("relax"),
        _ => None,
    }
}

/// `ep 10`, `row loss intra`.
pub(super) fn missing_equals(p: &Place) -> Option<Mistake> {
    let path = p.path_start(p.i)?;
    let last = p.i - 1;
    let is_value = p.starts_value(p.i) && p.tokens.on_one_line(last, p.i);
    let sets = path_end(p.tokens, p.i).is_some_and(|end| matches!(p.at(end), "=" | ":"));
    let begins = p.is_first_on_line(path)
        || path
            .checked_sub(1)
            .is_some_and(|before| p.at(before) == "{")
        || is_due_in_row(p, path);
    if !is_value || sets || !begins || p.inside() != Inside::Block {
        return None;
    }
    let span = p.span_of(path, last);
    let name = p.text_of(path, last);
    if field_of(name).is_some() || matches!(name, "for" | "allow") {
        return None;
    }
    let message = format!("`=` is missing after `{name}`");
    let diagnostic = Diagnostic::error(codes::UNEXPECTED, span, message)
        .help(format!("write `{name} = {}`", p.here()));
    Some(p.insert_after(diagnostic, last, " ="))
}

/// A field of a row is due at token `i`.
fn is_due_in_row(p: &Place, i: usize) -> bool {
    let Some(before) = i.checked_sub(1) else {
        return false;
    };
    let is_label = |j: usize| p.shape(j) == Some(Shape::Text) && j > 0 && p.at(j - 1) == "row";
    let follows_row = p.at(before) == "row" || is_label(before);
    let follows_field = p.at(before) == "," && {
        let start = item_around(p.tokens, before).map_or(0, |(start, _)| start);
        let words: Vec<&str> = (start..before).map(|j| p.at(j)).collect();
        words.contains(&"row") && !words.contains(&"expect")
    };
    follows_row && p.tokens.on_one_line(before, i) || follows_field
}

/// `row intra`, `row "a" intra`, `row loss = intra, mild`: a value without the field that it is for.
pub(super) fn value_without_field(p: &Place) -> Option<Mistake> {
    if p.inside() != Inside::Block
        || matches!(
            p.here(),
            "=" | ":" | "==" | ":=" | "=>" | "+=" | "-=" | "in"
        )
    {
        return None;
    }
    // A name could begin a field, so that what follows it is missed.
    let begins_value = |i: usize| p.starts_value(i) && p.shape(i) != Some(Shape::Text);
    let start = [p.path_start(p.i), Some(p.i)]
        .into_iter()
        .flatten()
        .find(|&i| begins_value(i) && is_due_in_row(p, i))?;
    let (from, to) = item_around(p.tokens, start)?;
    let mut depth = 0_usize;
    let end = (start..to)
        .find(|&j| {
            match p.at(j) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
            let is_apart = j > start && !p.tokens.on_one_line(j - 1, j);
            depth == 0 && (is_apart || matches!(p.at(j), "," | "expect"))
        })
        .unwrap_or(to);
    let words: Vec<&str> = (start..end)
        .filter(|&j| p.tokens.is_name(j))
        .map(|j| p.at(j))
        .collect();
    let field = words.iter().find_map(|word| field_of(word));
    let is_set = |field: &str| (from..start).any(|j| p.at(j) == field && p.at(j + 1) == "=");
    let value = p.text_of(start, end.checked_sub(1)?);
    let message = format!("a row sets fields, `{value}` is a value alone");
    let span = p.span_of(start, end - 1);
    let diagnostic = Diagnostic::error(codes::UNEXPECTED, span, message);
    let diagnostic = match field.filter(|field| !is_set(field)) {
        Some(field) => {
            let place = Span {
                end: span.start,
                ..span
            };
            let diagnostic = diagnostic.help(format!("write `row {field} = {value}`"));
            let new = format!("{field} = ");
            // A word that is none of the paper's may be a value of anything.
            if words.iter().all(|word| field_of(word) == Some(field)) {
                diagnostic.edit(place, new)
            } else {
                diagnostic.suggestion(place, new)
            }
        }
        None => diagnostic.help("write its field too, as in `row loss = intra`"),
    };
    let repair = p.blank(from, to);
    Some(Mistake { diagnostic, repair })
}

/// `row loss = intra 69.1, _`.
pub(super) fn missing_expect(p: &Place) -> Option<Mistake> {
    let is_cell = |i: usize| {
        let is_plain = p.at(i).bytes().all(|b| b.is_ascii_digit() || b == b'.');
        p.at(i) == "_" || p.shape(i) == Some(Shape::Number) && is_plain
    };
    // `_` could begin a field, so that what follows it is missed.
    let blank = p.path_start(p.i).filter(|&i| p.at(i) == "_");
    let first = blank.unwrap_or(p.i);
    let before = first.checked_sub(1)?;
    if p.inside() != Inside::Block || !is_cell(first) || !p.ends_value(before) {
        return None;
    }
    let (start, end) = item_around(p.tokens, before)?;
    let is_expected = (start..first).any(|j| p.at(j) == "expect");
    let is_row = (start..first).any(|j| p.at(j) == "row");
    let are_cells = (first..end).all(|j| match (j - first) % 2 {
        0 => is_cell(j),
        _ => p.at(j) == ",",
    });
    if is_expected || !is_row || !are_cells || !p.tokens.on_one_line(before, first) {
        return None;
    }
    let message = "`expect` is missing before what was published";
    let diagnostic = Diagnostic::error(codes::UNEXPECTED, p.span_of(first, first), message)
        .help(format!("write `expect {}`", p.at(first)));
    let repair = p.blank(first, end);
    let diagnostic = diagnostic.edit(p.after(before), " expect");
    Some(Mistake { diagnostic, repair })
}

/// `row "a", loss = intra`.
pub(super) fn comma_after_label(p: &Place) -> Option<Mistake> {
    let label = p.i.checked_sub(1)?;
    let is_after = p.here() == ","
        && p.inside() == Inside::Block
        && (p.at(label) == "row" || p.shape(label) == Some(Shape::Text) && p.before(2) == "row");
    is_after.then(|| {
        let what = if p.at(label) == "row" {
            "`row`"
        } else {
            "the label of a row"
        };
        let message = format!("no comma follows {what}");
        p.replace(p.error(codes::FIELD_SEPARATOR, message), p.i, p.i, "")
    })
}

/// `for bs in 256, 512 { row }`.
pub(super) fn values_without_brackets(p: &Place) -> Option<Mistake> {
    if p.here() != "," || p.inside() != Inside::Block || p.before(2) != "in" {
        return None;
    }
    let first = p.i - 1;
    let is_member =
        |i: usize| p.tokens.is_name(i) || matches!(p.shape(i), Some(Shape::Number | Shape::Text));
    let mut last = first;
    while p.at(last + 1) == "," && is_member(last + 2) {
        last += 2;
    }
    if !is_member(first) || last == first || !matches!(p.at(last + 1), "{" | "row" | "for") {
        return None;
    }
    let members: Vec<&str> = (first..=last).step_by(2).map(|i| p.at(i)).collect();
    let span = p.span_of(first, last);
    let diagnostic = Diagnostic::error(codes::UNEXPECTED, span, "a list stands in `[ ]`");
    Some(p.replace(
        diagnostic,
        first,
        last,
        &format!("[{}]", members.join(", ")),
    ))
}

/// `v { augment = none }`.
pub(super) fn block_of_member(p: &Place) -> Option<Mistake> {
    let path = p.path_start(p.i)?;
    if p.here() != "{" || p.inside() != Inside::Block {
        return None;
    }
    let begins = p.is_first_on_line(path) || path > 0 && p.at(path - 1) == "{";
    let first = p.i + 1;
    let sets = path_end(p.tokens, first).is_some_and(|end| p.at(end) == "=");
    let goes_on = path > 0 && (p.wants_value(path - 1) || matches!(p.at(path - 1), "row" | "for"));
    if !begins || !sets || goes_on {
        return None;
    }
    let name = p.text_of(path, p.i - 1);
    let message = format!("the fields of `{name}` are set one by one");
    let field = p.text_of(first, path_end(p.tokens, first)?.checked_sub(1)?);
    let diagnostic = Diagnostic::error(codes::UNEXPECTED, p.span_of(path, p.i), message)
        .help(format!("write `{name}.{field} = ...`"));
    let mut depth = 0_usize;
    let mut starts = vec![];
    let mut close = None;
    for j in first..p.tokens.list.len() {
        match p.at(j) {
            "}" if depth == 0 => {
                close = Some(j);
                break;
            }
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth = depth.saturating_sub(1),
            _ if depth == 0 && (j == first || opens_item(p.tokens, j)) => starts.push(j),
            _ => {}
        }
    }
    let are_fields = starts
        .iter()
        .all(|&j| path_end(p.tokens, j).is_some_and(|end| p.at(end) == "="));
    let Some(close) = close.filter(|_| are_fields) else {
        return Some(p.skip(diagnostic));
    };
    let head = Span {
        end: p.span_of(first, first).start,
        ..p.span_of(path, path)
    };
    let mut edited = diagnostic.edit(head, format!("{name}."));
    for &start in &starts[1..] {
        let span = p.span_of(start, start);
        let place = Span {
            end: span.start,
            ..span
        };
        edited = edited.edit(place, format!("{name}."));
    }
    // The blank before the brace goes with it.
    let end = Span {
        start: p.after(close - 1).start,
        ..p.span_of(close, close)
    };
    Some(Mistake {
        diagnostic: edited.edit(end, ""),
        repair: p.blank(path, close + 1),
    })
}

/// `assert a = b`.
pub(super) fn assert_with_equals(p: &Place) -> Option<Mistake> {
    let is_comparison = |i: usize| matches!(p.at(i), "==" | "<=" | ">=" | "<" | ">" | "!=");
    let is_claim = p.at(0) == "assert" && p.here() == "=" && p.inside() == Inside::Top;
    if !is_claim || !p.ends_value(p.i.checked_sub(1)?) || (0..p.i).any(is_comparison) {
        return None;
    }
    let message = "a claim compares with `==`; `=` sets a field";
    let diagnostic = p
        .error(codes::UNEXPECTED, message)
        .help("write `==`")
        .edit(p.span(), "==");
    let token = p.tokens.list[p.i];
    let has_room = p.tokens.text[token.end..].starts_with(' ');
    Some(Mistake {
        diagnostic,
        repair: has_room.then(|| Repair::Overwrite(token.start, token.end + 1, "==".to_owned())),
    })
}

/// `assert a == b "why"`.
pub(super) fn reason_without_comma(p: &Place) -> Option<Mistake> {
    let before = p.i.checked_sub(1)?;
    let is_reason = p.at(0) == "assert"
        && p.shape(p.i) == Some(Shape::Text)
        && p.inside() == Inside::Top
        && p.ends_value(before)
        && before > 0;
    is_reason.then(|| {
        let message = "a comma stands between a claim and where it comes from";
        let diagnostic = p
            .error(codes::MISSING_COMMA, message)
            .help(format!("insert `,` after `{}`", p.at(before)));
        p.insert_after(diagnostic, before, ",")
    })
}

/// `pretrain my-run = ...`.
pub(super) fn dashed_name(p: &Place) -> Option<Mistake> {
    let first = p.i.checked_sub(1)?;
    let is_declared = p.here() == "-"
        && p.inside() == Inside::Top
        && crate::ast::Kind::from_word(p.before(2)).is_some()
        && p.is_first_on_line(p.i - 2);
    let touches = |i: usize| {
        let pair = (p.tokens.list.get(i), p.tokens.list.get(i + 1));
        matches!(pair, (Some(a), Some(b)) if a.end == b.start)
    };
    let is_part = |i: usize| matches!(p.shape(i), Some(Shape::Word | Shape::Number));
    let mut last = first;
    while p.at(last + 1) == "-" && touches(last) && touches(last + 1) && is_part(last + 2) {
        last += 2;
    }
    if !is_declared || last == first {
        return None;
    }
    let parts: Vec<&str> = (first..=last).step_by(2).map(|i| p.at(i)).collect();
    let name = parts.join("_");
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let message = "a name has no `-`, which takes one number from another";
    let diagnostic = Diagnostic::error(codes::BAD_NAME, p.span_of(first, last), message);
    is_name.then(|| p.replace(diagnostic, first, last, &name))
}
