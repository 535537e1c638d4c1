//! Brackets that are not closed, closed too early, or close nothing.

use super::place::{Inside, Place};
use super::{Mistake, Repair};
use crate::codes;
use crate::diagnostic::{Diagnostic, Label};
use crate::split::{open_or_close, opens_item};

/// `adam(mtm: (0.9, 0.999)), wd: 0.1)`: one bracket too many ends a call before its last argument.
pub(super) fn closed_early(p: &Place) -> Option<Mistake> {
    // Behind the comma of a row a name could begin a field, so that the sign behind it is missed.
    let before_path = p.path_start(p.i).and_then(|path| path.checked_sub(1));
    let comma = [Some(p.i), before_path]
        .into_iter()
        .flatten()
        .find(|&i| p.at(i) == ",")?;
    let bracket = comma.checked_sub(1)?;
    let is_outside = matches!(p.inside(), Inside::Block | Inside::Top);
    if !is_outside || !matches!(p.at(bracket), ")" | "]") {
        return None;
    }
    let mut depth = 0_usize;
    let end = (comma + 1..p.tokens.list.len()).find(|&j| {
        match p.at(j) {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" if depth == 0 => return true,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        depth == 0 && p.is_first_on_line(j) && opens_item(p.tokens, j)
    });
    let close = end.filter(|&j| p.at(j) == p.at(bracket))?;
    let sign = p.at(bracket);
    let span = p.span_of(bracket, bracket);
    let message = format!("this `{sign}` is one too many");
    let diagnostic = Diagnostic::error(codes::UNBALANCED, span, message)
        .label(p.span_of(close, close), "so that this closes nothing")
        .help("remove it")
        .edit(span, "");
    Some(p.skip(diagnostic))
}

/// `for x in xs { row }}` above more rows: one brace too many ends a block before its last item.
pub(super) fn block_closed_early(p: &Place) -> Option<Mistake> {
    let brace = (p.i.saturating_sub(2)..p.i)
        .rev()
        .find(|&j| p.at(j) == "}")?;
    let begins = p.is_first_on_line(brace + 1) && !p.tokens.list[brace + 1].at_margin;
    if p.inside() != Inside::Top || !begins {
        return None;
    }
    let mut depth = 0_usize;
    let close = (brace + 1..p.tokens.list.len()).find(|&j| {
        match p.at(j) {
            "{" => depth += 1,
            "}" if depth == 0 => return true,
            "}" => depth -= 1,
            _ => {}
        }
        false
    })?;
    let span = p.span_of(brace, brace);
    let diagnostic = Diagnostic::error(codes::UNBALANCED, span, "this `}` is one too many")
        .label(p.span_of(close, close), "so that this closes nothing")
        .help("remove it");
    Some(p.replace(diagnostic, brace, brace, ""))
}

/// A bracket that is not closed, or closes nothing.
pub(super) fn unbalanced(p: &Place) -> Option<Mistake> {
    let here = p.here();
    let Some(&open) = p.open.last() else {
        if !matches!(here, "}" | ")" | "]") {
            return None;
        }
        let diagnostic = p.error(codes::UNBALANCED, format!("this `{here}` closes nothing"));
        return Some(p.replace(diagnostic, p.i, p.i, ""));
    };
    let (name, close) = match p.at(open) {
        "{" => ("block", "}"),
        "(" => ("`(`", ")"),
        _ => ("`[`", "]"),
    };
    let mut diagnostic = Diagnostic::error(
        codes::UNBALANCED,
        p.span_of(open, open),
        format!("this {name} is not closed"),
    )
    .here("opened here");
    if p.is_at_end() {
        let end = p.end_of_written();
        if close == "}" {
            diagnostic = diagnostic
                .help(match p.next {
                    "" => "insert `}` after the last field".to_owned(),
                    next => format!("insert `}}` before `{next}`"),
                })
                .edit(end, "\n}");
        } else {
            diagnostic = diagnostic
                .help(format!("insert `{close}`"))
                .edit(end, close);
        }
        return Some(Mistake {
            diagnostic,
            repair: Some(Repair::Append(close)),
        });
    }
    if matches!(here, "}" | ")" | "]") && here != close {
        diagnostic.labels.push(Label {
            span: p.span(),
            text: format!("`{close}` is due before this"),
        });
        let fits = p
            .open
            .iter()
            .any(|&k| matches!((p.at(k), here), ("{", "}") | ("(", ")") | ("[", "]")));
        if !fits && is_stray(p) {
            let diagnostic = p.error(codes::UNBALANCED, format!("this `{here}` closes nothing"));
            return Some(p.replace(diagnostic, p.i, p.i, ""));
        }
        if !fits {
            // The wrong kind of bracket closes it.
            let diagnostic = diagnostic
                .help(format!("write `{close}` for `{here}`"))
                .edit(p.span(), close);
            let token = p.tokens.list[p.i];
            return Some(Mistake {
                diagnostic,
                repair: Some(Repair::Overwrite(token.start, token.end, close.to_owned())),
            });
        }
        let diagnostic = diagnostic.help(format!("insert `{close}`"));
        return Some(p.insert_after(diagnostic, p.i - 1, close));
    }
    // A new field, row or declaration begins while `(` or `[` is open. A field's `=` is seen only after its name.
    if close == "}" {
        return None;
    }
    let start = if here == "=" { p.path_start(p.i)? } else { p.i };
    let is_item =
        opens_item(p.tokens, start) && p.tokens.list[start].first_on_line && start > open + 1;
    is_item.then(|| {
        let diagnostic = diagnostic
            .label(p.span_of(start, start), "a new field begins here")
            .help(format!("insert `{close}`"));
        p.insert_after(diagnostic, start - 1, close)
    })
}

/// The offending bracket is one too many: without it the brackets behind it fit better than with the right one in its place.
fn is_stray(p: &Place) -> bool {
    let misfits = |mut open: Vec<usize>| {
        let behind = p.i + 1..p.tokens.list.len();
        let count: usize = behind.map(|j| open_or_close(p.tokens, j, &mut open)).sum();
        count + open.len()
    };
    let without = p.open[..p.open.len().saturating_sub(1)].to_vec();
    misfits(p.open.clone()) < misfits(without)
}
