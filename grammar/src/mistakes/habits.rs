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
    let name = p.text_of(path, p.i - 1);
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
    let first = p.text_of(equals + 1, p.i - 1);
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

/// `from paper import crisscross` and `import paper as p`.
pub(super) fn python_import(p: &Place) -> Option<Mistake> {
    if p.inside() != Inside::Top {
        return None;
    }
    let mut near = (0..=3).filter_map(|back| p.i.checked_sub(back));
    let opens = |&i: &usize| {
        let is_line = p.is_first_on_line(i) && p.tokens.is_name(i + 1);
        let words = |a: &str, b: &str| p.at(i) == a && p.at(i + 2) == b;
        is_line
            && (words("from", "import") || words("import", "as"))
            && p.tokens.on_one_line(i, i + 2)
    };
    let i = near.find(opens)?;
    let last = (i..p.tokens.list.len())
        .take_while(|&j| p.tokens.on_one_line(i, j))
        .last()?;
    let module = p.at(i + 1);
    let message = "a module is used as a whole, with all its names";
    let diagnostic = Diagnostic::error(codes::UNEXPECTED, p.span_of(i, last), message);
    let is_used = (0..i).any(|j| p.at(j) == "use" && p.at(j + 1) == module);
    let new = if is_used {
        String::new()
    } else {
        format!("use {module}")
    };
    Some(p.replace(diagnostic, i, last, &new))
}

/// `intra if yes else sync`, `lambda x: x`, `a == b and c == d`.
pub(super) fn foreign_word(p: &Place) -> Option<Mistake> {
    let found = |i: usize| -> Option<(&str, &str)> {
        let follows_value = i.checked_sub(1).is_some_and(|before| p.ends_value(before));
        let sets = matches!(p.at(i + 1), "=" | ":" | "." | "{");
        match p.at(i) {
            _ if sets => None,
            "if" if follows_value => Some((
                "a value has no `if`",
                "write a row for each case: `for loss in [intra, sync] { row }`",
            )),
            "lambda" if !follows_value => Some((
                "there is no `lambda`; what takes a parameter is declared with its name",
                "write `loss name(x) = ...` and call `name(...)`",
            )),
            "and" | "or" if follows_value && p.at(0) == "assert" => {
                Some(("a claim is one comparison", "write an `assert` for each"))
            }
            _ => None,
        }
    };
    // In a block each of the words could begin a field, so that what follows it is missed.
    let near = (0..=2).rev().filter_map(|back| p.i.checked_sub(back));
    let mut near = near.filter(|&i| i == p.i || p.tokens.on_one_line(i, p.i));
    let (i, (message, help)) = near.find_map(|i| found(i).map(|texts| (i, texts)))?;
    let diagnostic = Diagnostic::error(codes::UNEXPECTED, p.span_of(i, i), message).help(help);
    // What is skipped is the item that holds the word, not one that the word seems to begin.
    let repair =
        item_around(p.tokens, i.saturating_sub(1)).and_then(|(start, end)| p.blank(start, end));
    Some(Mistake { diagnostic, repair })
}

/// `1..3`.
pub(super) fn dots_for_range(p: &Place) -> Option<Mistake> {
    let number_at = |i: usize| p.shape(i) == Some(Shape::Number);
    let (first, dot) = [(1, 0), (2, 1)]
        .into_iter()
        .find_map(|(number, dot)| {
            let (first, dot) = (p.i.checked_sub(number)?, p.i.checked_sub(dot)?);
            (number_at(first) && p.at(dot) == "." && p.at(dot + 1) == ".").then_some((first, dot))
        })
        .or_else(|| {
            let first = p.i.checked_sub(2)?;
            (number_at(first) && p.before(1) == "." && p.here() == ".").then(|| (first, first + 1))
        })?;
    let last = (dot + 2..=dot + 3).find(|&i| number_at(i))?;
    if last == dot + 3 && !matches!(p.at(dot + 2), "." | "=") {
        return None;
    }
    // `[1..3]` is one range, not a list that holds one.
    let is_listed = first > 0 && p.at(first - 1) == "[" && p.at(last + 1) == "]";
    let (from, to) = if is_listed {
        (first - 1, last + 1)
    } else {
        (first, last)
    };
    let range = format!("range({}, {})", p.at(first), p.at(last));
    let diagnostic = Diagnostic::error(
        codes::UNEXPECTED,
        p.span_of(from, to),
        "there is no `..`; numbers from one to another are a `range`",
    )
    .help(format!("write `{range}`"));
    let is_swept = from > 0 && p.at(from - 1) == "in";
    Some(if is_swept {
        p.replace(diagnostic, from, to, &range)
    } else {
        p.skip(diagnostic.suggestion(p.span_of(from, to), range))
    })
}

/// Hydra's list of `defaults:`.
pub(super) fn defaults_list(p: &Place) -> Option<Mistake> {
    let i = [Some(p.i), p.i.checked_sub(1)]
        .into_iter()
        .flatten()
        .find(|&i| p.at(i) == "defaults" && p.at(i + 1) == ":")?;
    if p.inside() != Inside::Top || !p.is_first_on_line(i) {
        return None;
    }
    let message = "there is no list of `defaults`; a file names the module that it builds on";
    let diagnostic = Diagnostic::error(codes::UNEXPECTED, p.span_of(i, i), message)
        .help("write `use paper` and, for what differs, `pretrain name = crisscross with { ... }`");
    Some(Mistake {
        diagnostic,
        repair: p.blank(i, p.tokens.list.len()),
    })
}

/// Hydra's `${lr}`.
pub(super) fn interpolation(p: &Place) -> Option<Mistake> {
    if p.here() != "$" || p.at(p.i + 1) != "{" {
        return None;
    }
    let message = "another value is taken by its name, without `${ }`";
    let close = path_end(p.tokens, p.i + 2).filter(|&end| p.at(end) == "}");
    let diagnostic = p.error(codes::UNEXPECTED, message);
    let Some(close) = close else {
        return Some(p.skip(diagnostic.help("write `crisscross.es`")));
    };
    let name = p.text_of(p.i + 2, close - 1).to_owned();
    let help = if name.contains('.') {
        format!("write `{name}`")
    } else {
        format!("write `let {name} = ...` above, and `{name}` here")
    };
    let diagnostic = diagnostic
        .help(help)
        .suggestion(p.span_of(p.i, close), name);
    Some(p.skip(diagnostic))
}

/// `sum(... for i, j in views)`.
pub(super) fn pair_with_comma(p: &Place) -> Option<Mistake> {
    let first = p.i.checked_sub(1)?;
    let is_pair = p.here() == ","
        && p.inside() == Inside::Args
        && p.tokens.is_name(first)
        && matches!(p.before(2), "for" | ",")
        && p.tokens.is_name(p.i + 1)
        && p.at(p.i + 2) == "in";
    is_pair.then(|| {
        let (one, other, all) = (p.at(first), p.at(p.i + 1), p.at(p.i + 3));
        let message = "a pair of members says whether their order counts";
        let diagnostic = p.error(codes::UNEXPECTED, message).help(format!(
            "write `{one} < {other} in {all}` for each pair once, `{one} != {other} in {all}` for both orders"
        ));
        p.skip(diagnostic)
    })
}

/// `32 x 224px`, `8x112 px`.
pub(super) fn size_with_blanks(p: &Place) -> Option<Mistake> {
    let size_from = |first: usize| {
        let mut joined = String::new();
        let mut size = None;
        for i in first..first + 9 {
            let is_part = matches!(p.shape(i), Some(Shape::Number | Shape::Word));
            if !is_part || !p.tokens.on_one_line(first, i) {
                break;
            }
            joined += p.at(i);
            if i > first && is_size(&joined) {
                size = Some((first, i, joined.clone()));
            }
        }
        size
    };
    let (first, last, size) = (0..=3)
        .rev()
        .filter_map(|back| p.i.checked_sub(back))
        .filter(|&i| p.shape(i) == Some(Shape::Number))
        .find_map(size_from)
        .filter(|&(_, last, _)| last + 1 >= p.i)?;
    let diagnostic = Diagnostic::error(
        codes::DETACHED_UNIT,
        p.span_of(first, last),
        "a size is written without blanks",
    );
    Some(p.replace(diagnostic, first, last, &size))
}

/// `8x112px`: numbers with `x` between them and a unit behind the last.
fn is_size(text: &str) -> bool {
    let end = text
        .rfind(|c: char| c.is_ascii_digit())
        .map_or(0, |at| at + 1);
    let (extents, unit) = text.split_at(end);
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    extents.contains('x')
        && extents.split('x').all(is_number)
        && (unit.is_empty() || super::table::UNITS.contains(&unit))
}
