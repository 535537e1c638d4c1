//! The mistakes that people make, each with its message. The first that recognises the place speaks.

use super::brackets;
use super::fields::{self, field_of};
use super::habits;
use super::place::{Inside, Place};
use super::{Mistake, Repair};
use crate::ast::Kind;
use crate::build::Form;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;
use crate::split::{item_around, items_until, opens_item, path_end};
use crate::tokens::{RESERVED, Shape};

/// Tried in this order: what is certain from the token alone, then what its surroundings say.
pub(super) const MISTAKES: &[fn(&Place) -> Option<Mistake>] = &[
    open_text,
    comment_sign,
    quotes,
    habits::interpolation,
    habits::dots_for_range,
    broken_number,
    no_field,
    bad_name,
    fields::dashed_name,
    habits::size_with_blanks,
    brackets::closed_early,
    brackets::block_closed_early,
    detached_unit,
    unknown_unit,
    lone_field,
    wrong_allow,
    colon_after_for,
    habits::colon_after_row,
    habits::plus_before_field,
    habits::quoted_field,
    habits::row_for_loop,
    habits::python_import,
    habits::defaults_list,
    habits::foreign_word,
    habits::pair_with_comma,
    fields::assert_with_equals,
    fields::reason_without_comma,
    equals_or_colon,
    negative_expectation,
    slash_between_expectations,
    fields::comma_after_label,
    fields::missing_equals,
    fields::value_without_field,
    fields::values_without_brackets,
    fields::missing_expect,
    missing_comma_before_field,
    habits::members_without_brackets,
    field_separator,
    import,
    row_outside_table,
    fields::block_of_member,
    missing_with,
    missing_value,
    brackets::unbalanced,
    unknown_kind,
    missing_comma,
    missing_operator,
    second_comparison,
    for_without_in,
];

/// The units, for suggestions. `grammar` checks them itself; a test compares the two lists.
pub(super) const UNITS: [&str; 17] = [
    "frames", "samples", "bins", "tokens", "kHz", "Hz", "fps", "px", "ms", "min", "ep", "GB", "s",
    "h", "K", "M", "%",
];

fn open_text(p: &Place) -> Option<Mistake> {
    let i = [p.i, p.i.wrapping_sub(1)]
        .into_iter()
        .find(|&i| p.shape(i) == Some(Shape::OpenText))?;
    let diagnostic = Diagnostic::error(
        codes::OPEN_TEXT,
        p.span_of(i, i),
        "this text is not closed on its line",
    )
    .help("end it with `\"`");
    // The label of a row may end anywhere on its line; a title ends before the brace, a path or a reason with its line.
    let before = i.checked_sub(1).map_or("", |before| p.at(before));
    let ends_here =
        p.at(i + 1) == "{" || matches!(before, "use" | ",") && p.inside() == Inside::Top;
    Some(p.skip(if ends_here {
        diagnostic.edit(p.after(i), "\"")
    } else {
        diagnostic
    }))
}

fn comment_sign(p: &Place) -> Option<Mistake> {
    let sign = p.here();
    if !matches!(sign, "//" | "/*" | "*/") {
        return None;
    }
    let from = p.tokens.list[p.i].start;
    let rest = &p.tokens.text[from..];
    let length = if sign == "//" {
        rest.find('\n')
    } else {
        rest.find("*/").map(|at| at + 2)
    }
    .unwrap_or(rest.len());
    let diagnostic = p.error(
        codes::COMMENT_SIGN,
        format!("`{sign}` starts no comment; comments run from `#` to the end of the line"),
    );
    let rest_of_line = rest[length..].lines().next().unwrap_or("");
    let is_last = sign == "/*" && rest[..length].ends_with("*/") && rest_of_line.trim().is_empty();
    let diagnostic = if sign == "//" {
        diagnostic.help("write `#`").edit(p.span(), "#")
    } else if is_last && !rest[..length].contains('\n') {
        let end = rest[..length - 2].trim_end().len();
        let close = p.span_between(from + end, from + length);
        diagnostic
            .help("write `#`")
            .edit(p.span(), "#")
            .edit(close, "")
    } else {
        diagnostic
    };
    Some(Mistake {
        diagnostic,
        repair: Some(Repair::Overwrite(from, from + length, String::new())),
    })
}

/// Quotes of other languages and of word processors, and letters that names do not have.
fn quotes(p: &Place) -> Option<Mistake> {
    let sign = p.here();
    if !matches!(
        sign,
        "'" | "`" | "\u{201c}" | "\u{201d}" | "\u{2018}" | "\u{2019}" | "\u{ab}" | "\u{bb}"
    ) {
        if sign.chars().all(char::is_whitespace) && !sign.is_empty() {
            let diagnostic = p.error(codes::UNEXPECTED, "this blank is not an ordinary space");
            return Some(p.replace(diagnostic, p.i, p.i, " "));
        }
        let is_letter = sign
            .chars()
            .next()
            .is_some_and(|c| !c.is_ascii() && c.is_alphanumeric());
        return is_letter.then(|| {
            let message = format!(
                "names are made of the letters `a` to `z`, digits and `_`; `{sign}` is none of them"
            );
            p.skip(p.error(codes::BAD_NAME, message))
        });
    }
    let diagnostic = p
        .error(codes::UNEXPECTED, "text stands between double quotes")
        .help("write `\"text\"`");
    let close = match sign {
        "\u{201c}" => "\u{201d}",
        "\u{2018}" => "\u{2019}",
        "\u{ab}" => "\u{bb}",
        same => same,
    };
    let partner = (p.i + 1..p.tokens.list.len())
        .take_while(|&j| p.tokens.on_one_line(p.i, j))
        .find(|&j| p.at(j) == close);
    Some(p.skip(match partner {
        Some(j) => diagnostic.edit(p.span(), "\"").edit(p.span_of(j, j), "\""),
        None => diagnostic,
    }))
}

/// `2 s`, `50 %`, `8 x 112px`.
fn detached_unit(p: &Place) -> Option<Mistake> {
    let is_bare = |i: usize| {
        p.shape(i) == Some(Shape::Number)
            && p.at(i).bytes().all(|b| b.is_ascii_digit() || b == b'.')
    };
    let joins =
        |i: usize| is_bare(i) && UNITS.contains(&p.at(i + 1)) && p.tokens.on_one_line(i, i + 1);
    let i = (1..=2)
        .filter_map(|back| p.i.checked_sub(back))
        .find(|&i| joins(i) && !matches!(p.at(i + 2), "=" | ":"))?;
    let joined = format!("{}{}", p.at(i), p.at(i + 1));
    let diagnostic = Diagnostic::error(
        codes::DETACHED_UNIT,
        p.span_of(i, i + 1),
        "a unit is written directly after its number",
    );
    Some(p.replace(diagnostic, i, i + 1, &joined))
}

fn unknown_unit(p: &Place) -> Option<Mistake> {
    if p.shape(p.i) != Some(Shape::Number) {
        return None;
    }
    let number = p.here();
    let split = number.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (digits, unit) = number.split_at(split);
    if UNITS.contains(&unit)
        || unit.starts_with('x') && unit[1..].starts_with(|c: char| c.is_ascii_digit())
    {
        return None;
    }
    let diagnostic = p.error(codes::UNKNOWN_UNIT, format!("there is no unit `{unit}`"));
    if unit.starts_with('_') {
        let diagnostic = diagnostic.help("digits are written without `_`");
        let is_grouped = number.bytes().all(|b| b.is_ascii_digit() || b == b'_');
        return Some(if is_grouped {
            p.replace(diagnostic, p.i, p.i, &number.replace('_', ""))
        } else {
            p.skip(diagnostic)
        });
    }
    if unit == "e" && p.at(p.i + 1) == "+" {
        let diagnostic = diagnostic.help("an exponent is written without `+`");
        let exponent = p.at(p.i + 2);
        let is_whole = exponent.bytes().all(|b| b.is_ascii_digit()) && !exponent.is_empty();
        return Some(if is_whole {
            p.replace(diagnostic, p.i, p.i + 2, &format!("{number}{exponent}"))
        } else {
            p.skip(diagnostic)
        });
    }
    if let Some(diagnostic) = counted_already(p, p.i, unit) {
        return Some(p.replace(diagnostic, p.i, p.i, digits));
    }
    let is_factor = p.at(0) != "assert" && p.value_word(p.i.saturating_sub(1)) == "a loss term";
    Some(match likely_unit(unit) {
        _ if is_factor && unit.len() > 1 => {
            p.replace(diagnostic, p.i, p.i, &format!("{digits} * {unit}"))
        }
        Some(likely) => p.replace(diagnostic, p.i, p.i, &format!("{digits}{likely}")),
        None => p.skip(diagnostic.help(format!("the units are {}", quoted(&UNITS)))),
    })
}

/// `ep = 100epochs`: the field is a count of what the word names.
fn counted_already(p: &Place, number: usize, word: &str) -> Option<Diagnostic> {
    let field = number.checked_sub(2).map(|i| p.at(i))?;
    let is_count = p.at(number - 1) == "=" && field == "ep" && likely_unit(word) == Some("ep");
    is_count.then(|| {
        let message = format!("`{field}` counts epochs already, its number has no unit");
        let last = if p.shape(number + 1) == Some(Shape::Word) && p.at(number + 1) == word {
            number + 1
        } else {
            number
        };
        Diagnostic::error(codes::UNKNOWN_UNIT, p.span_of(number, last), message)
    })
}

/// The unit that a word may mean: `seconds`, `khz`.
fn likely_unit(word: &str) -> Option<&'static str> {
    match word.to_ascii_lowercase().as_str() {
        "sec" | "secs" | "second" | "seconds" => Some("s"),
        "msec" | "msecs" | "millisecond" | "milliseconds" => Some("ms"),
        "mins" | "minute" | "minutes" => Some("min"),
        "hr" | "hrs" | "hour" | "hours" => Some("h"),
        "epoch" | "epochs" | "eps" => Some("ep"),
        "pixel" | "pixels" | "pixs" => Some("px"),
        "k" => Some("K"),
        "percent" => Some("%"),
        "f" | "fr" => Some("frames"),
        lower => UNITS.into_iter().find(|known| {
            known.eq_ignore_ascii_case(lower)
                || known.len() > 3 && known.trim_end_matches('s') == lower.trim_end_matches('s')
        }),
    }
}

/// `.5`, `5.`, `+5`.
fn broken_number(p: &Place) -> Option<Mistake> {
    let number_at = |i: usize| p.shape(i) == Some(Shape::Number);
    let follows_number = p.i > 0
        && number_at(p.i - 1)
        && p.tokens
            .list
            .get(p.i)
            .is_some_and(|dot| p.tokens.list[p.i - 1].end == dot.start);
    if p.here() == "."
        && !follows_number
        && number_at(p.i + 1)
        && p.tokens.list[p.i].end == p.tokens.list[p.i + 1].start
    {
        let whole = format!("0.{}", p.at(p.i + 1));
        let diagnostic = Diagnostic::error(
            codes::UNEXPECTED,
            p.span_of(p.i, p.i + 1),
            "a number starts with a digit",
        );
        let diagnostic = diagnostic
            .help(format!("write `{whole}`"))
            .edit(p.span_of(p.i, p.i + 1), whole);
        return Some(p.skip(diagnostic));
    }
    if p.before(1) == "." && p.i >= 2 && number_at(p.i - 2) {
        let diagnostic = Diagnostic::error(
            codes::UNEXPECTED,
            p.span_of(p.i - 2, p.i - 1),
            "a number ends with a digit",
        );
        return Some(p.replace(diagnostic, p.i - 2, p.i - 1, p.at(p.i - 2)));
    }
    None
}

/// `allow W0503, W0504 "why"`, `allow(W0503)`, `allow "why"`, `allow W0503: why`.
fn wrong_allow(p: &Place) -> Option<Mistake> {
    let opens = |i: usize| {
        p.at(i) == "allow"
            && p.at(i + 1) != "="
            && p.tokens.on_one_line(i, p.i)
            && (p.tokens.list[i].first_on_line || matches!(p.before(p.i - i + 1), "{" | "," | ""))
    };
    let allow = (1..=2)
        .filter_map(|back| p.i.checked_sub(back))
        .find(|&i| opens(i))?;
    let is_list = p.here() == "," && p.i == allow + 2;
    let message = match is_list {
        true => "one `allow` names one code",
        false => "`allow` names a code and then says why",
    };
    let diagnostic = p
        .error(codes::UNEXPECTED, message)
        .help("write `allow W0503 \"the baseline of Fig. 4\"`");
    let end = (allow..p.tokens.list.len())
        .find(|&i| !p.tokens.on_one_line(allow, i))
        .unwrap_or(p.tokens.list.len());
    let is_in_block = p.inside() == Inside::Block && p.at(allow.wrapping_sub(1)) != ",";
    Some(Mistake {
        diagnostic,
        repair: if is_in_block || p.inside() == Inside::Top {
            p.blank(allow, end)
        } else {
            None
        },
    })
}

/// `for x in [1, 2]: row`.
fn colon_after_for(p: &Place) -> Option<Mistake> {
    if p.here() != ":" || p.inside() != Inside::Block {
        return None;
    }
    let is_loop = (0..p.i)
        .rev()
        .take_while(|&j| p.tokens.on_one_line(j, p.i))
        .any(|j| p.at(j) == "for");
    is_loop.then(|| {
        let message = "no `:` follows `for`; its row stands behind it, or rows in `{ ... }`";
        p.replace(p.error(codes::UNEXPECTED, message), p.i, p.i, "")
    })
}

/// `expect 69.1 / 62.0`.
fn slash_between_expectations(p: &Place) -> Option<Mistake> {
    let is_between = matches!(p.here(), "/" | "|" | ";")
        && p.inside() == Inside::Block
        && p.shape(p.i.checked_sub(1)?) == Some(Shape::Number)
        && p.shape(p.i + 1) == Some(Shape::Number);
    let start = item_around(p.tokens, p.i.checked_sub(1)?).map(|(start, _)| start)?;
    let is_expected = (start..p.i).any(|j| p.at(j) == "expect");
    (is_between && is_expected).then(|| {
        let message = format!(
            "expectations are separated by commas, not by `{}`",
            p.here()
        );
        p.replace(p.error(codes::MISSING_COMMA, message), p.i, p.i, ",")
    })
}

/// `expect 69.1, -` and `expect -3`.
fn negative_expectation(p: &Place) -> Option<Mistake> {
    if p.here() != "-" || p.inside() != Inside::Block || !matches!(p.before(1), "expect" | ",") {
        return None;
    }
    let row = (0..p.i)
        .rev()
        .find(|&j| matches!(p.at(j), "row" | "expect"))?;
    if p.at(row) != "expect" {
        return None;
    }
    if p.shape(p.i + 1) != Some(Shape::Number) {
        let diagnostic = p.error(codes::UNEXPECTED, "expected a number or `_`, found `-`");
        return Some(p.replace(diagnostic, p.i, p.i, "_"));
    }
    let diagnostic = p
        .error(codes::UNEXPECTED, "a score is never negative")
        .help("write the number without `-`, or `_` where none was reported");
    let token = p.tokens.list[p.i];
    Some(Mistake {
        diagnostic,
        repair: Some(Repair::Overwrite(token.start, token.end, String::new())),
    })
}

/// `adam(wd = 0.1)`, `bs: 512`, `bs == 512`, `loss x : intra`.
fn equals_or_colon(p: &Place) -> Option<Mistake> {
    let sign = p.here();
    if p.inside() == Inside::Args {
        let is_name = p.tokens.is_name(p.i.checked_sub(1)?) && matches!(p.before(2), "(" | ",");
        if !is_name || !matches!(sign, "=" | ":=" | "=>") {
            return None;
        }
        let value = if p.starts_value(p.i + 1) {
            format!(" {}", p.at(p.i + 1))
        } else {
            String::new()
        };
        let diagnostic = p.error(codes::EQUALS_OR_COLON, "arguments use `:`, fields use `=`");
        let diagnostic = diagnostic.help(format!("write `{}:{value}`", p.before(1)));
        // The blank before the sign goes with it.
        let gap = Span {
            start: p.after(p.i - 1).start,
            ..p.span()
        };
        let token = p.tokens.list[p.i];
        let repair = Some(Repair::Overwrite(token.start, token.end, ":".to_owned()));
        return Some(Mistake {
            diagnostic: diagnostic.edit(gap, ":"),
            repair,
        });
    }
    let is_due = match p.inside() {
        Inside::Block => p.path_start(p.i).is_some(),
        // At the top a name takes `=` only in the head of a declaration; elsewhere `a == b` compares.
        Inside::Top => {
            p.i >= 2
                && Kind::from_word(p.at(0)).is_some()
                && (p.i == 2 || p.at(2) == "(")
                && !(2..p.i).any(|j| p.at(j) == "=")
        }
        Inside::Args | Inside::Tuple | Inside::List => false,
    };
    if !is_due || !matches!(sign, ":" | "==" | ":=" | "=>" | "+=" | "-=") {
        return None;
    }
    let message = match sign {
        ":" => "arguments use `:`, fields use `=`".to_owned(),
        _ => format!("a value is set with `=`, not with `{sign}`"),
    };
    Some(p.replace(p.error(codes::EQUALS_OR_COLON, message), p.i, p.i, "="))
}

/// `bs = 512, es = 220K`, `bs = 512;` and a comma after the last field of a row.
fn field_separator(p: &Place) -> Option<Mistake> {
    let sign = p.here();
    if sign == ";" {
        let what = if p.inside() == Inside::Top {
            "declarations are"
        } else {
            "fields are"
        };
        let message = format!("{what} not separated by `;`");
        return Some(p.replace(p.error(codes::FIELD_SEPARATOR, message), p.i, p.i, ""));
    }
    let touches = |i: usize| {
        p.tokens
            .list
            .get(i + 1)
            .is_some_and(|next| p.tokens.list[i].end == next.start)
    };
    let is_thousands = sign == ","
        && p.i >= 1
        && [p.i - 1, p.i + 1]
            .iter()
            .all(|&i| p.at(i).bytes().all(|b| b.is_ascii_digit()))
        && p.at(p.i + 1).len() == 3
        && touches(p.i - 1)
        && touches(p.i);
    if is_thousands && p.inside() == Inside::Block {
        let joined = format!("{}{}", p.before(1), p.at(p.i + 1));
        let message = "digits are not grouped by commas";
        let diagnostic = Diagnostic::error(codes::UNEXPECTED, p.span_of(p.i - 1, p.i + 1), message);
        return Some(p.replace(diagnostic, p.i - 1, p.i + 1, &joined));
    }
    if sign == "," && p.ends_value(p.i.wrapping_sub(1)) {
        // `expect 1 _, 2`: what lacks its comma is the expectation before this one.
        if let Some(mistake) = missing_comma(p) {
            return Some(mistake);
        }
        let message = match p.inside() {
            Inside::Block => "fields are not separated by commas",
            Inside::Top => "declarations are not separated by commas",
            Inside::Args | Inside::Tuple | Inside::List => return None,
        };
        return Some(p.replace(p.error(codes::FIELD_SEPARATOR, message), p.i, p.i, ""));
    }
    let is_last = p.before(1) == "," && (p.stops(p.i) || opens_item(p.tokens, p.i));
    if is_last && p.inside() == Inside::Block && sign != "," {
        let diagnostic = Diagnostic::error(
            codes::FIELD_SEPARATOR,
            p.span_of(p.i - 1, p.i - 1),
            "nothing follows this comma",
        );
        return Some(p.replace(diagnostic, p.i - 1, p.i - 1, ""));
    }
    None
}

/// `a + + b`, `loss =`, `f(, x)`, and a name that was taken for the value because the value before it is missing.
fn missing_value(p: &Place) -> Option<Mistake> {
    // `loss =` on one line, `weights = unit` on the next: the grammar gives up at the second `=`.
    if p.here() == "=" {
        let path = p.path_start(p.i)?;
        let before = path
            .checked_sub(1)
            .filter(|&j| p.wants_value(j) && p.at(j) != "," && p.at(j) != "(")?;
        if !p.tokens.list[path].first_on_line || p.inside() != Inside::Block {
            return None;
        }
        let message = format!(
            "{} is missing after `{}`",
            p.value_word(before),
            p.at(before)
        );
        let diagnostic =
            Diagnostic::error(codes::MISSING_OPERAND, p.span_of(before, before), message);
        let start = item_around(p.tokens, before).map(|(start, _)| start)?;
        return Some(Mistake {
            diagnostic,
            repair: p.blank(start, path),
        });
    }
    let before = p.i.checked_sub(1).filter(|&j| p.wants_value(j))?;
    let is_operator = p.joins(p.i) && p.here() != "on" || p.here() == "=";
    if !(is_operator || p.stops(p.i))
        || RESERVED.contains(&p.here()) && p.at(before) == "," && p.inside() == Inside::Block
    {
        return None;
    }
    let (left, right) = (p.at(before), p.here());
    let is_trailing = left == "," && matches!(right, ")" | "]" | "}");
    if is_trailing {
        let diagnostic = Diagnostic::error(
            codes::MISSING_OPERAND,
            p.span_of(before, before),
            "nothing follows this comma",
        );
        return Some(p.replace(diagnostic, before, before, ""));
    }
    let what = p.value_word(before);
    let message = match right {
        "" => format!("{what} is missing after `{left}`"),
        _ if matches!(left, "(" | "[" | "," | "=" | ":" | "in") && is_operator => {
            format!("{what} is missing before `{right}`")
        }
        _ if RESERVED.contains(&right) || matches!(right, "}" | "{") => {
            format!("{what} is missing after `{left}`")
        }
        _ => format!("{what} is missing between `{left}` and `{right}`"),
    };
    let diagnostic = p.error(codes::MISSING_OPERAND, message);
    if is_operator && p.joins(before) {
        let diagnostic = diagnostic.label(p.span_of(before, before), "");
        let range = &p.tokens.list[p.i];
        let repair = Some(Repair::Overwrite(range.start, range.end, String::new()));
        return Some(Mistake { diagnostic, repair });
    }
    Some(p.skip(diagnostic))
}

/// A declaration, parameter, import or field whose name is missing or reserved.
fn bad_name(p: &Place) -> Option<Mistake> {
    let here = p.here();
    let is_reserved = RESERVED.contains(&here);
    let before = p.before(1);
    if before == "use" {
        let diagnostic = p.error(
            codes::BAD_NAME,
            format!("`use` names a module or a file, found {}", p.found()),
        );
        return Some(p.skip(diagnostic.help("write `use paper` or `use \"folder/file.cc\"`")));
    }
    if before == "." && !p.tokens.is_name(p.i) {
        return Some(p.skip(p.error(
            codes::BAD_NAME,
            format!("a name is due after `.`, found {}", p.found()),
        )));
    }
    let declares = Kind::from_word(before).filter(|_| {
        p.form != Form::Field
            && p.inside() == Inside::Top
            && (p.i == 1 || p.tokens.list[p.i - 1].first_on_line)
    });
    if let Some(kind) = declares {
        let message = if is_reserved {
            format!("`{here}` is a reserved word and no name")
        } else {
            format!("this `{}` needs a name, found {}", kind.word(), p.found())
        };
        return Some(
            p.skip(
                p.error(codes::BAD_NAME, message)
                    .help(format!("write `{} name ...`", kind.word())),
            ),
        );
    }
    if is_reserved && p.at(p.i + 1) == "=" && p.inside() == Inside::Block {
        return Some(p.skip(p.error(
            codes::BAD_NAME,
            format!("`{here}` is a reserved word and names no field"),
        )));
    }
    None
}

/// A declaration that starts with a word that is no kind, or with its name.
fn unknown_kind(p: &Place) -> Option<Mistake> {
    if p.inside() != Inside::Top {
        return None;
    }
    let near = [Some(p.i), p.i.checked_sub(1)];
    let i = near.into_iter().flatten().find(|&i| {
        let sign = if p.tokens.is_name(i + 1) {
            i + 2
        } else {
            i + 1
        };
        let opens = matches!(p.at(sign), "=" | "{" | "(") || p.shape(sign) == Some(Shape::Text);
        p.tokens.is_name(i) && p.tokens.list[i].first_on_line && opens
    })?;
    let word = p.at(i);
    if Kind::from_word(word).is_some() {
        return None;
    }
    let span = p.span_of(i, i);
    let kinds: Vec<&str> = Kind::ALL.into_iter().map(Kind::word).collect();
    if !p.tokens.is_name(i + 1) {
        let message = format!("a declaration starts with its kind, `{word}` is none");
        let diagnostic = Diagnostic::error(codes::UNKNOWN_KIND, span, message);
        let help = if p.at(i + 1) == "=" {
            format!(
                "write `let {word} = ...` for a value; the other kinds are {}",
                quoted(&kinds)
            )
        } else {
            format!("the kinds are {}", quoted(&kinds))
        };
        return Some(Mistake {
            diagnostic: diagnostic.help(help),
            repair: None,
        });
    }
    let diagnostic = Diagnostic::error(
        codes::UNKNOWN_KIND,
        span,
        format!("there is no kind of declaration `{word}`"),
    );
    let likely = kinds
        .iter()
        .filter(|_| word.len() < 40)
        .map(|kind| (strsim::damerau_levenshtein(word, kind), kind))
        .min()
        .filter(|(d, _)| *d <= 2);
    Some(match likely {
        Some((_, kind)) => p.replace(
            diagnostic.here(format!("did you mean `{kind}`?")),
            i,
            i,
            kind,
        ),
        None => Mistake {
            diagnostic: diagnostic.help(format!("the kinds are {}", quoted(&kinds))),
            repair: None,
        },
    })
}

/// Two values side by side in a list, in arguments or among the expectations of a row.
fn missing_comma(p: &Place) -> Option<Mistake> {
    // `_` could begin a field, so that what follows it is missed.
    let is_first = |i: usize| matches!(p.at(i.wrapping_sub(1)), "expect" | ",");
    let is_blank = |&i: &usize| p.at(i) == "_" && !is_first(i);
    let blank = p.path_start(p.i).filter(is_blank);
    let i = blank.unwrap_or(p.i);
    let before = i.checked_sub(1)?;
    let is_cell = p.at(i) == "_" || p.shape(i) == Some(Shape::Number);
    if !p.ends_value(before) || !p.starts_value(i) && !is_cell {
        return None;
    }
    let is_sum = p.inside() == Inside::Tuple
        && p.value_word(before) == "a loss term"
        && p.tokens.is_name(before)
        && p.tokens.is_name(i);
    if is_sum {
        return Some(missing_plus(p, before, i));
    }
    let what = match p.inside() {
        Inside::Args => "arguments are",
        Inside::Tuple | Inside::List => "members are",
        Inside::Block if p.is_in_row() && is_cell && p.is_expected() => "expectations are",
        Inside::Block | Inside::Top => return None,
    };
    let message = format!("{what} separated by commas");
    let diagnostic = Diagnostic::error(codes::MISSING_COMMA, p.span_of(i, i), message);
    let diagnostic = diagnostic.help(format!("insert `,` after `{}`", p.at(before)));
    Some(p.insert_after(diagnostic, before, ","))
}

/// `row a = 1 b = 2 expect 3`: without its comma the second field ends the row, which is seen at `expect` or the next comma.
fn missing_comma_before_field(p: &Place) -> Option<Mistake> {
    if !matches!(p.here(), "expect" | ",") || p.inside() != Inside::Block {
        return None;
    }
    // The first field after the row.
    let starts = items_until(p.tokens, p.i.checked_sub(1)?)?;
    let pairs = starts.windows(2).map(|pair| (pair[0], pair[1])).rev();
    let mut field = None;
    for (start, next) in pairs {
        if !p.ends_value(next - 1) || (start..next).any(|j| p.at(j) == "expect") {
            return None;
        }
        if (start..next).any(|j| p.at(j) == "row") {
            field = Some(next);
            break;
        }
    }
    let field = field?;
    if p.here() == "," && !p.tokens.on_one_line(field - 1, field) {
        return None;
    }
    let last = path_end(p.tokens, field)?.checked_sub(1)?;
    let diagnostic = Diagnostic::error(
        codes::MISSING_COMMA,
        p.span_of(field, last),
        "the fields of a row are separated by commas",
    )
    .help(format!("insert `,` after `{}`", p.at(field - 1)));
    Some(p.insert_after(diagnostic, field - 1, ","))
}

/// `import paper`, `include "file.cc"`.
fn import(p: &Place) -> Option<Mistake> {
    if p.inside() != Inside::Top {
        return None;
    }
    let near = [Some(p.i), p.i.checked_sub(1)];
    let i = near.into_iter().flatten().find(|&i| {
        matches!(p.at(i), "import" | "include" | "require")
            && p.tokens.list[i].first_on_line
            && (p.tokens.is_name(i + 1) || p.shape(i + 1) == Some(Shape::Text))
            && p.tokens.on_one_line(i, i + 1)
    })?;
    let message = format!("a module is named after `use`, not after `{}`", p.at(i));
    let diagnostic = Diagnostic::error(codes::UNEXPECTED, p.span_of(i, i), message)
        .help(format!("write `use {}`", p.at(i + 1)));
    Some(p.replace(diagnostic, i, i, "use"))
}

/// Where one field is all that may stand, it does not begin with the word of a declaration.
fn no_field(p: &Place) -> Option<Mistake> {
    let first = p.at(0);
    // `loss` and `data` open declarations and are fields too.
    let declares = Kind::from_word(first).is_some() && matches!(p.at(2), "=" | "{");
    let opens = p.tokens.is_name(1) && (declares || RESERVED.contains(&first));
    let is_there = p.form == Form::Field && p.i <= 1 && opens;
    is_there.then(|| {
        let message = format!("expected a field, such as `bs = 64`, found `{first}`");
        let diagnostic = Diagnostic::error(codes::UNEXPECTED, p.span_of(0, 0), message);
        Mistake {
            diagnostic,
            repair: None,
        }
    })
}

/// Where one field is all that may stand, there are neither declarations nor a next field.
fn lone_field(p: &Place) -> Option<Mistake> {
    if p.form != Form::Field || p.inside() != Inside::Top {
        return None;
    }
    let expected = |due: &str| {
        let message = format!("expected {due}, found {}", p.found());
        p.error(codes::UNEXPECTED, message)
    };
    let path = path_end(p.tokens, 0).unwrap_or(0);
    let diagnostic = if p.i < path || path == 0 {
        expected("a field, such as `bs = 64`")
    } else if p.i == path {
        let mut rest = (p.i + 1..p.tokens.list.len()).map(|i| p.at(i));
        match p.here() {
            // `table1:3.bs = 64`.
            ":" if rest.any(|token| token == "=") => p
                .error(
                    codes::UNEXPECTED,
                    "a field stands without the row that it is of",
                )
                .help("write the field alone, `bs = 64`: it is set in every pretraining and row"),
            ":" | "==" | ":=" | "=>" | "+=" | "-=" => {
                let message = format!("a field is set with `=`, not with `{}`", p.here());
                p.error(codes::EQUALS_OR_COLON, message).help("write `=`")
            }
            "" => expected("`=` after the field's name").help("write the value too: `bs = 64`"),
            _ => expected("`=` after the field's name"),
        }
    } else if p.ends_value(p.i - 1) && !matches!(p.here(), "{" | ")" | "]" | "}") {
        expected("an operator or the end of the value")
            .help("write each field as one `--set` of its own")
    } else {
        return None;
    };
    Some(Mistake {
        diagnostic,
        repair: None,
    })
}

fn row_outside_table(p: &Place) -> Option<Mistake> {
    if p.here() != "row" || p.inside() != Inside::Top {
        return None;
    }
    let diagnostic = p
        .error(codes::UNEXPECTED, "a row stands in a table")
        .help("write `table name { of = crisscross  row loss = intra }`");
    Some(Mistake {
        diagnostic,
        repair: p.blank(p.i, p.tokens.list.len()),
    })
}

/// `pretrain x = crisscross { bs = 2 }`.
fn missing_with(p: &Place) -> Option<Mistake> {
    let before = p.i.checked_sub(1)?;
    if p.here() != "{" || !p.ends_value(before) {
        return None;
    }
    let is_value = match p.inside() {
        Inside::Top => p.at(0) != "loss" && (0..p.i).any(|j| p.at(j) == "="),
        Inside::Block => {
            let start = item_around(p.tokens, before)?.0;
            !p.is_in_row() && (start..p.i).any(|j| p.at(j) == "=")
        }
        Inside::List => true,
        Inside::Args | Inside::Tuple => false,
    };
    is_value.then(|| {
        let message = "a copy with other fields is written with `with`";
        let diagnostic = p
            .error(codes::UNEXPECTED, message)
            .help(format!("write `{} with {{ ... }}`", p.at(before)))
            .edit(p.after(before), " with");
        p.skip(diagnostic)
    })
}

/// `0.5 intra`, `intra sync`. In a block the second name could begin a field, so that its `=` is what is missed.
fn missing_operator(p: &Place) -> Option<Mistake> {
    let stands_alone = |i: usize| {
        i.checked_sub(1).is_some_and(|before| {
            let is_kind = |i: usize| Kind::from_word(p.at(i)).is_some();
            let is_declared = is_kind(before) || before >= 1 && is_kind(before - 1);
            let is_field = path_end(p.tokens, i).is_some_and(|end| p.at(end) == "=");
            p.ends_value(before)
                && p.tokens.is_name(i)
                && p.tokens.on_one_line(before, i)
                && !is_declared
                && !is_field
        })
    };
    if !matches!(p.inside(), Inside::Top | Inside::Block) {
        return None;
    }
    let i = [Some(p.i), p.path_start(p.i)]
        .into_iter()
        .flatten()
        .find(|&i| stands_alone(i))?;
    let before = i - 1;
    let (left, right) = (p.at(before), p.at(i));
    let message = format!("an operator is missing between `{left}` and `{right}`");
    let diagnostic = Diagnostic::error(codes::UNEXPECTED, p.span_of(i, i), message);
    if p.shape(before) == Some(Shape::Number) {
        let is_exponent = matches!(right, "e" | "E")
            && p.at(i + 1) == "-"
            && p.shape(i + 2) == Some(Shape::Number);
        if is_exponent {
            let whole = format!("{left}e-{}", p.at(i + 2));
            let span = p.span_of(before, i + 2);
            let diagnostic =
                Diagnostic::error(codes::UNEXPECTED, span, "a number has no blank in it");
            return Some(p.replace(diagnostic, before, i + 2, &whole));
        }
        let is_plain = left.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if let Some(diagnostic) = counted_already(p, before, right).filter(|_| is_plain) {
            return Some(p.replace(diagnostic, before, i, left));
        }
        if let Some(unit) = likely_unit(right).filter(|_| is_plain && right.len() > 1) {
            let message = format!("there is no unit `{right}`");
            let diagnostic = Diagnostic::error(codes::UNKNOWN_UNIT, p.span_of(before, i), message);
            return Some(p.replace(diagnostic, before, i, &format!("{left}{unit}")));
        }
        let diagnostic = diagnostic.help(format!("write `{left} * {right}`"));
        return Some(p.insert_after(diagnostic, before, " *"));
    }
    let is_sum = p.tokens.is_name(before) && p.value_word(before) == "a loss term";
    is_sum.then(|| missing_plus(p, before, i))
}

/// `intra sync`. Two words that are no terms of the paper may be anything but a sum.
fn missing_plus(p: &Place, before: usize, i: usize) -> Mistake {
    let (left, right) = (p.at(before), p.at(i));
    let message = format!("an operator is missing between `{left}` and `{right}`");
    let diagnostic = Diagnostic::error(codes::UNEXPECTED, p.span_of(i, i), message)
        .help(format!("write `{left} + {right}`"));
    if [left, right].map(field_of) == [Some("loss"); 2] {
        return p.insert_after(diagnostic, before, " +");
    }
    let repair = item_around(p.tokens, before).and_then(|(start, end)| p.blank(start, end));
    Mistake {
        diagnostic: diagnostic.suggestion(p.after(before), " +"),
        repair,
    }
}

fn second_comparison(p: &Place) -> Option<Mistake> {
    let is_comparison = |i: usize| matches!(p.at(i), "==" | "<=" | ">=" | "<" | ">" | "!=");
    if !is_comparison(p.i) {
        return None;
    }
    let message = match p.here() {
        "!=" => "`!=` stands only between the two names of a pair, as in `i != j in views`",
        _ if (0..p.i).rev().any(is_comparison) => "comparisons do not chain",
        _ => return None,
    };
    Some(p.skip(p.error(codes::UNEXPECTED, message)))
}

fn for_without_in(p: &Place) -> Option<Mistake> {
    let path = p.path_start(p.i)?;
    let is_loop = path >= 1 && p.at(path - 1) == "for";
    is_loop.then(|| {
        let message = format!("`for` names what it walks, found {} for `in`", p.found());
        let diagnostic = p.error(codes::UNEXPECTED, message);
        if matches!(p.here(), "=" | ":") {
            p.replace(diagnostic, p.i, p.i, "in")
        } else {
            p.skip(diagnostic.help("write `for x in [a, b] { row }`"))
        }
    })
}

/// What is said when no known mistake fits: what was due here and what stands here.
pub(super) fn unexpected(p: &Place) -> Mistake {
    if p.here() == "{" && p.before(1) == "row" {
        let diagnostic = p
            .error(codes::UNEXPECTED, "a row has no braces")
            .help("write `row a = 1, b = 2`");
        return p.skip(without_braces(p, diagnostic));
    }
    let after_value = p.i.checked_sub(1).is_some_and(|i| p.ends_value(i));
    let is_after = |words: &[&str]| words.contains(&p.before(1));
    let is_value_due = p.i > 0 && p.wants_value(p.i - 1) && p.before(1) != ",";
    let (due, help) = match p.inside() {
        _ if is_after(&["with"]) => (
            "`{ ... }` with the fields to change",
            "write `crisscross with { bs = 256 }`",
        ),
        _ if is_after(&["assert"]) || is_value_due => {
            ("a value", "write a number, a name, or `[ ]` around several")
        }
        Inside::Block if is_after(&["expect"]) => ("a number or `_`", "write `expect 69.1, _`"),
        Inside::Block if p.path_start(p.i).is_some() && p.tokens.list[p.i - 1].first_on_line => {
            ("`=` after the field's name", "write `bs = 256`")
        }
        Inside::Block if after_value && p.is_in_row() => (
            "`,`, `expect` or the next row",
            "write `row loss = intra, bs = 256 expect 69.1`",
        ),
        Inside::Block => (
            "a field, `row`, `for` or `}`",
            "write a field as `bs = 256`, a row as `row bs = 256`",
        ),
        Inside::Args if after_value => ("`,` or `)`", "write `(a, b)`"),
        Inside::Args => ("an argument", "write a value or `name: value`"),
        Inside::Tuple if after_value => ("`,` or `)`", "write `(a, b)`"),
        Inside::List if after_value => ("`,` or `]`", "write `[a, b]`"),
        Inside::Tuple | Inside::List => ("a value", "write a number or a name"),
        Inside::Top if p.i >= 2 && Kind::from_word(p.before(2)).is_some() => (
            "`=` or `{ ... }` after the name",
            "write `loss mine = intra` or `table mine { ... }`",
        ),
        Inside::Top if after_value && p.i > 0 => (
            "an operator or the next declaration",
            "each declaration starts with its kind, as in `loss mine = intra`",
        ),
        Inside::Top => (
            "a declaration",
            "each starts with its kind, as in `loss mine = intra`",
        ),
    };
    let message = format!("expected {due}, found {}", p.found());
    p.skip(p.error(codes::UNEXPECTED, message).help(help))
}

/// Adds the edits that make `{ a = 1  b = 2 }` at the offending token `a = 1, b = 2`.
fn without_braces(p: &Place, diagnostic: Diagnostic) -> Diagnostic {
    let mut depth = 0_usize;
    let close = (p.i..p.tokens.list.len()).find(|&j| {
        match p.at(j) {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    let Some(close) = close.filter(|&close| close > p.i + 1) else {
        return diagnostic;
    };
    let mut depth = 0_usize;
    let open = Span {
        end: p.span_of(p.i + 1, p.i + 1).start,
        ..p.span()
    };
    let mut edited = diagnostic.edit(open, "");
    for j in p.i + 1..close {
        match p.at(j) {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth = depth.saturating_sub(1),
            _ if depth == 0 && j > p.i + 1 && opens_item(p.tokens, j) => {
                edited = edited.edit(p.after(j - 1), ",");
            }
            _ => {}
        }
    }
    // The blank before the brace goes with it.
    let end = Span {
        start: p.after(close - 1).start,
        ..p.span_of(close, close)
    };
    edited.edit(end, "")
}

fn quoted(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}
