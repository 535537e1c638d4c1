//! Forms of other tools: what Python, JSON and Hydra write where this language writes something else.

use super::Mistake;
use super::place::{Inside, Place};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::split::{item_around, path_end};
use crate::tokens::Shape;

/// `row: loss = intra` and `row "a": loss = intra`.
pub(super) fn colon_after_row(p: &Place) -> Option<Mistake> {
    let label = usize::from(p.shape(p.i.checked_sub(1)?) == Some(Shape::Text));
    let is_row = p.here() == ":" && p.before(1 + label) == "row" && p.inside() == Inside::Block;
    is_row.then(|| {
        let message = "no `:` follows `row`; its fields stand behind it";
        p.replace(p.error(codes::UNEXPECTED, message), p.i, p.i, "")
    })
}

/// Hydra's `+bs = 64`. Behind another field the sign is read as a sum, so that its `=` is what is missed.
pub(super) fn plus_before_field(p: &Place) -> Option<Mistake> {
    let before_path = p.path_start(p.i).and_then(|path| path.checked_sub(1));
    let at = [Some(p.i), before_path.filter(|_| p.here() == "=")]
        .into_iter()
        .flatten()
        .find(|&i| matches!(p.at(i), "+" | "~"))?;
    let touches = p.tokens.list[at].end == p.tokens.list.get(at + 1)?.start;
    let sets = path_end(p.tokens, at + 1).is_some_and(|end| p.at(end) == "=");
    (touches && sets && p.inside() == Inside::Block).then(|| {
        let sign = p.at(at);
        let message = format!("a field is set without `{sign}`: every field is there already");
        let diagnostic = Diagnostic::error(codes::UNEXPECTED, p.span_of(at, at), message);
        p.replace(diagnostic, at, at, "")
    })
}

/// JSON's `"bs": 64`.
pub(super) fn quoted_field(p: &Place) -> Option<Mistake> {
    let text = p.here();
    let name = text.strip_prefix('"')?.strip_suffix('"')?;
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.');
    let is_field = p.shape(p.i) == Some(Shape::Text)
        && p.inside() == Inside::Block
        && matches!(p.at(p.i + 1), ":" | "=");
    (is_name && is_field).then(|| {
        let message = "the name of a field stands without quotes";
        let diagnostic = Diagnostic::error(codes::UNEXPECTED, p.span_of(p.i, p.i + 1), message);
        p.replace(diagnostic, p.i, p.i + 1, &format!("{name} ="))
    })
}

/// `row loss in [intra, sync]`.
pub(super) fn row_for_loop(p: &Place) -> Option<Mistake> {
    let path = p.path_start(p.i)?;
    let row = path.checked_sub(1)?;
    if p.here() != "in" || p.at(row) != "row" || p.inside() != Inside::Block {
        return None;
    }
    let last = if p.at(p.i + 1) == "[" {
        (p.i + 2..p.tokens.list.len()).find(|&i| p.at(i) == "]")?
    } else {
        p.i + 1
    };
    let message = "a row sets a field to one value; `for` makes a row for each of several";
    let swept = p.span_of(path, p.i - 1);
    let name = &p.tokens.text[p.tokens.list[path].start..p.tokens.list[p.i - 1].end];
    let diagnostic = Diagnostic::error(codes::UNEXPECTED, p.span_of(row, row), message)
        .label(swept, "")
        .help(format!("write `for {name} in [...] {{ row }}`"))
        .edit(p.span_of(row, row), "for")
        .edit(p.after(last), " { row }");
    Some(p.skip(diagnostic))
}

/// `modalities = v, a` and `a.augment = VJ, M, RC`.
pub(super) fn members_without_brackets(p: &Place) -> Option<Mistake> {
    if p.here() != "," || p.inside() != Inside::Block || p.is_in_row() {
        return None;
    }
    let start = item_around(p.tokens, p.i.checked_sub(1)?)?.0;
    let equals = path_end(p.tokens, start).filter(|&end| p.at(end) == "=" && end + 1 < p.i)?;
    let is_member = |i: usize| {
        let is_value = p.tokens.is_name(i) || p.shape(i) == Some(Shape::Number);
        let sets = path_end(p.tokens, i).is_some_and(|end| matches!(p.at(end), "=" | ":"));
        is_value && !sets && (matches!(p.at(i + 1), "," | "}" | "") || p.is_first_on_line(i + 1))
    };
    let mut last = p.i - 1;
    while p.at(last + 1) == "," && is_member(last + 2) {
        last += 2;
    }
    let is_grouped = p.shape(p.i - 1) == Some(Shape::Number) && p.at(p.i + 1).len() == 3;
    if last < p.i || is_grouped {
        return None;
    }
    let members: Vec<&str> = (p.i + 1..=last).step_by(2).map(|i| p.at(i)).collect();
    let first = &p.tokens.text[p.tokens.list[equals + 1].start..p.tokens.list[p.i - 1].end];
    let field = p.at(equals - 1);
    if matches!(field, "augment" | "f" | "h" | "features") {
        let rest = members.join("-");
        let message = "the links of a chain are joined by `-`";
        let diagnostic = Diagnostic::error(codes::UNEXPECTED, p.span_of(p.i, last), message)
            .help(format!("write `{first}-{rest}`"));
        return Some(p.replace(diagnostic, p.i, last, &format!("-{rest}")));
    }
    let list = format!("[{first}, {}]", members.join(", "));
    let span = p.span_of(equals + 1, last);
    let diagnostic = Diagnostic::error(codes::UNEXPECTED, span, "a list stands in `[ ]`");
    Some(p.replace(diagnostic, equals + 1, last, &list))
}
