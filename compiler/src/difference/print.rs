//! Differences in people's words.

use super::{Calls, Change, Experiment, Files, Member, Pairing, State, TableParts, Weighed};
use crate::units::Exact;

/// The least width of the first column.
const HEAD: usize = 8;

/// The width of the first column that holds all paths.
fn width(changes: &[Change]) -> usize {
    let paths = changes.iter().map(|change| change.path.chars().count());
    paths.max().unwrap_or(0).max(HEAD)
}

/// Two pretrainings, a line for each thing that differs; indented by two blanks.
pub fn experiment_text(difference: &Experiment) -> String {
    if difference.is_same() {
        return "  nothing differs: both are one run\n".to_owned();
    }
    let mut lines = changes_of(difference);
    let width = width(&difference.fields);
    lines.extend(in_all(difference, width));
    let [left, right] = difference.calls;
    lines.push(line("compute", &compute(left, right), width));
    lines.push(format!("  {}", pairing(&difference.pairing)));
    lines.join("\n") + "\n"
}

/// The loss and the fields.
fn changes_of(difference: &Experiment) -> Vec<String> {
    let mut lines = loss(&difference.loss, width(&difference.fields));
    lines.extend(fields(&difference.fields));
    lines
}

fn line(head: &str, text: &str, width: usize) -> String {
    format!("  {head:<width$} {text}").trim_end().to_owned()
}

/// `+ pair(v1, a2) 1/6   + pair(v2, a1) 1/6`, then what weighs otherwise, then what is gone.
fn loss(weights: &[Weighed], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    let side = |sign: &str, some: Vec<(&str, Exact)>| -> Vec<String> {
        let shown = some.iter();
        shown
            .map(|(what, weight)| format!("{sign} {} {weight}", pair(what)))
            .collect()
    };
    let added = weights.iter().filter_map(|w| match (w.left, w.right) {
        (None, Some(weight)) => Some((w.what.as_str(), weight)),
        _ => None,
    });
    let gone = weights.iter().filter_map(|w| match (w.left, w.right) {
        (Some(weight), None) => Some((w.what.as_str(), weight)),
        _ => None,
    });
    for (sign, some) in [("+", added.collect::<Vec<_>>()), ("-", gone.collect())] {
        // Pairs are short and stand side by side; a term takes a line.
        let shown = side(sign, some);
        let per_line = if shown.iter().any(|text| text.len() > 24) {
            1
        } else {
            4
        };
        lines.extend(shown.chunks(per_line).map(|chunk| chunk.join("   ")));
    }
    let mut moved: Vec<((Exact, Exact), Vec<&str>)> = vec![];
    for weight in weights {
        let (Some(left), Some(right)) = (weight.left, weight.right) else {
            continue;
        };
        match moved.iter_mut().find(|(known, _)| *known == (left, right)) {
            Some((_, some)) => some.push(&weight.what),
            None => moved.push(((left, right), vec![&weight.what])),
        }
    }
    for ((left, right), some) in moved {
        lines.push(format!("~ {}   {left} -> {right}", some.join(" ")));
    }
    let heads = std::iter::once("loss").chain(std::iter::repeat(""));
    heads
        .zip(&lines)
        .map(|(head, text)| line(head, text, width))
        .collect()
}

/// `pair(v1, a2)` of `v1a2`; a term stays as it is.
fn pair(what: &str) -> String {
    let is_view = |text: &str| {
        let digits = text.trim_start_matches(|c: char| c.is_ascii_lowercase() || c == '_');
        digits.len() < text.len()
            && !digits.is_empty()
            && digits.chars().all(|c| c.is_ascii_digit())
    };
    let middle = (1..what.len())
        .filter(|at| what.is_char_boundary(*at))
        .find(|at| is_view(&what[..*at]) && is_view(&what[*at..]));
    middle.map_or_else(
        || what.to_owned(),
        |at| format!("pair({}, {})", &what[..at], &what[at..]),
    )
}

fn fields(changes: &[Change]) -> Vec<String> {
    let width = width(changes);
    let mut lines = vec![];
    for change in changes {
        let path = &change.path;
        let (left, right) = (side(change.left.as_ref()), side(change.right.as_ref()));
        if change.links.is_empty() {
            lines.push(format!("  {path:<width$} {left} -> {right}"));
            continue;
        }
        for (position, link) in change.links.iter().enumerate() {
            let head = if position == 0 { path } else { "" };
            let text = match (&link.left, &link.right) {
                (None, Some(new)) => format!("+ {}: {new}", link.link),
                (Some(old), None) => format!("- {}: {old}", link.link),
                (old, new) => format!(
                    "~ {}: {} -> {}",
                    link.link,
                    side(old.as_ref()),
                    side(new.as_ref())
                ),
            };
            lines.push(format!("  {head:<width$} {text}"));
        }
    }
    lines
}

fn side(text: Option<&String>) -> &str {
    text.map_or("(none)", String::as_str)
}

/// `graph    + 4 terms   networks, sampler, augmentations, optimiser unchanged`.
fn in_all(difference: &Experiment, width: usize) -> Option<String> {
    let [left, right] = difference.calls;
    let terms = match right.terms as i64 - left.terms as i64 {
        0 => String::new(),
        n => {
            let (sign, count) = (if n > 0 { "+" } else { "-" }, n.abs());
            format!(
                "{sign} {count} term{}   ",
                if count == 1 { "" } else { "s" }
            )
        }
    };
    let rest = match difference.unchanged.as_slice() {
        [] => String::new(),
        some => format!("{} unchanged", some.join(", ")),
    };
    let text = format!("{terms}{rest}");
    (!text.is_empty()).then(|| line("graph", text.trim_end(), width))
}

fn compute(left: Calls, right: Calls) -> String {
    let calls = |calls: Calls| format!("{} z, {} p", calls.encode, calls.predict);
    let terms = if left.terms == right.terms {
        format!("{} terms", left.terms)
    } else {
        format!("{} -> {} terms", left.terms, right.terms)
    };
    if (left.encode, left.predict) == (right.encode, right.predict) {
        format!("unchanged ({}; {terms})", calls(left))
    } else {
        format!("{} -> {}; {terms}", calls(left), calls(right))
    }
}

fn pairing(pairing: &Pairing) -> String {
    match pairing {
        Pairing::Paired => {
            "same seed, same clips, same crops: the difference of scores is paired".to_owned()
        }
        Pairing::SameClips => {
            "same seed, same clips; augmentations that both have draw the same: the difference of scores is paired".to_owned()
        }
        Pairing::Apart(reasons) => format!(
            "not paired: {} differ{}; compare means over several seeds",
            and(reasons),
            match reasons.as_slice() {
                ["seed"] => "s",
                _ => "",
            }
        ),
    }
}

/// `seed`, `seed and data`, `seed, data and clips`.
fn and(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [some @ .., last] => format!("{} and {last}", some.join(", ")),
    }
}

/// Two protocols.
pub fn protocol_text(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "  nothing differs\n".to_owned();
    }
    fields(changes).join("\n") + "\n"
}

/// Two files: what differs in tables, rows and columns. Rows that differ in the same way share their lines.
pub fn program_text(difference: &Files) -> String {
    let mut lines: Vec<String> = vec![];
    for table in &difference.tables {
        let rows = match table.rows {
            1 => "1 row".to_owned(),
            n => format!("{n} rows"),
        };
        match &table.state {
            State::Added => lines.push(format!("  + table {}, {rows}", table.name)),
            State::Removed => lines.push(format!("  - table {}, {rows}", table.name)),
            State::Renamed(name) => lines.push(format!("  = table {} is {name}", table.name)),
            State::Changed(parts) => {
                lines.push(format!("  table {}", table.name));
                lines.extend(table_lines(parts).iter().map(|line| format!("  {line}")));
            }
        }
    }
    lines.extend(member_lines("pretrain", &difference.pretrains, changes_of));
    lines.extend(member_lines("eval", &difference.evals, |c| fields(c)));
    lines.join("\n") + "\n"
}

fn table_lines(parts: &TableParts) -> Vec<String> {
    let mut lines = fields(&parts.drawn);
    lines.extend(member_lines("column", &parts.columns, |c| fields(c)));
    lines.extend(member_lines("row", &parts.rows, changes_of));
    for change in &parts.expect {
        let (left, right) = (side(change.left.as_ref()), side(change.right.as_ref()));
        lines.push(format!(
            "  ~ expected in {}: {left} -> {right}",
            change.path
        ));
    }
    lines
}

fn member_lines<T>(
    noun: &str,
    members: &[Member<T>],
    details: impl Fn(&T) -> Vec<String>,
) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    let mut groups: Vec<(Vec<String>, Vec<&str>)> = vec![];
    for member in members {
        let name = &member.name;
        match &member.state {
            State::Added => lines.push(format!("  + {noun} {name}")),
            State::Removed => lines.push(format!("  - {noun} {name}")),
            State::Renamed(new) => {
                lines.push(format!("  = {noun} {name} is {noun} {new}: the same run"));
            }
            State::Changed(difference) => {
                let shown = details(difference);
                match groups.iter_mut().find(|(known, _)| *known == shown) {
                    Some((_, names)) => names.push(name),
                    None => groups.push((shown, vec![name])),
                }
            }
        }
    }
    for (shown, names) in groups {
        lines.extend(names.iter().map(|name| format!("  ~ {noun} {name}")));
        lines.extend(shown.iter().map(|line| format!("    {line}")));
    }
    lines
}
