//! Values on one line: where blanks stand, and in which columns neighbours align.

use super::columns::Cell;
use super::tree::{Block, Body, Bracket, Entry, Part, PartKind, Piece, Row, Setting, Value};
use crate::tokens::Shape;

/// The blanks between fields of one line, and before `expect` and comments.
pub(super) const GAP: usize = 3;

/// The value on one line; `None` where a comment or a line end of the author's stands in it.
pub(super) fn value(value: &Value) -> Option<String> {
    parts(&value.parts)
}

/// Some parts of a value on one line.
pub(super) fn parts(parts: &[Part]) -> Option<String> {
    let mut text = String::new();
    for (i, part) in parts.iter().enumerate() {
        if part.may_break && is_on_new_line(part) && i > 0 {
            return None;
        }
        if part.has_gap && i > 0 {
            text.push(' ');
        }
        text += &self::part(part)?;
    }
    Some(text)
}

/// The author has put this operator on a line of its own.
pub(super) fn is_on_new_line(part: &Part) -> bool {
    match &part.kind {
        PartKind::Piece(piece) => piece.is_on_new_line,
        PartKind::Bracket(_) | PartKind::Block(_) => false,
    }
}

/// One part on one line.
pub(super) fn part(part: &Part) -> Option<String> {
    match &part.kind {
        PartKind::Piece(piece) => plain(piece).map(str::to_owned),
        PartKind::Bracket(bracket) => self::bracket(bracket),
        PartKind::Block(block) => {
            let cells = self::block(block, "")?;
            Some(joined(&cells))
        }
    }
}

fn plain<'t>(piece: &Piece<'t>) -> Option<&'t str> {
    piece.comments.is_empty().then_some(piece.text)
}

fn bracket(bracket: &Bracket) -> Option<String> {
    let is_broken = bracket.is_spread || bracket.behind.is_some() || !bracket.rest.is_empty();
    if is_broken {
        return None;
    }
    let mut members = vec![];
    for member in &bracket.members {
        if !member.above.is_empty() || member.behind.is_some() {
            return None;
        }
        members.push(value(&member.value)?);
    }
    let open = plain(&bracket.open)?;
    Some(format!("{open}{}{}", members.join(", "), bracket.close))
}

/// `{ a = 1   b = 2 }` as cells, the first of them opened by `opening`.
fn block(block: &Block, opening: &str) -> Option<Vec<Cell>> {
    let is_empty = block.entries.is_empty();
    let rows = |e: &&Entry| matches!(e.body, Body::Row(_) | Body::For(..));
    let is_crowded = block.entries.len() > 1 && block.entries.iter().any(|e| rows(&e));
    if block.is_spread || is_crowded || !block.rest.is_empty() || block.behind.is_some() {
        return None;
    }
    let open = format!("{opening}{}", plain(&block.open)?);
    if is_empty {
        return Some(vec![Cell::new("{", format!("{open}}}"), 1)]);
    }
    let mut cells: Vec<Cell> = vec![];
    let mut before = String::new();
    for entry in &block.entries {
        let text = joined(&self::entry(entry)?);
        let path = match &entry.body {
            Body::Field(path, _) => value(path)?,
            Body::Use(_)
            | Body::Allow(_)
            | Body::Assert(..)
            | Body::Decl(..)
            | Body::Record(..)
            | Body::Row(_)
            | Body::For(..)
            | Body::Bare(_) => String::new(),
        };
        cells.push(match cells.len() {
            0 => Cell::new(&format!("{opening}{{"), format!("{open} {text}"), 1),
            _ => Cell::new(&format!("{before}|{path}"), text, GAP),
        });
        before = path;
    }
    if let Some(last) = cells.last_mut() {
        last.text += " }";
    }
    Some(cells)
}

/// The cells of an item on one line, its expectations apart; `None` where it takes more lines.
pub(super) fn entry(entry: &Entry) -> Option<Vec<Cell>> {
    if !entry.above.is_empty() || entry.behind.is_some() {
        return None;
    }
    body(&entry.body)
}

/// The cells of an item on one line.
pub(super) fn body(body: &Body) -> Option<Vec<Cell>> {
    Some(match body {
        Body::Use(words) => vec![Cell::new("", value(words)?, 0)],
        Body::Bare(lone) => vec![Cell::new("", value(lone)?, 0)],
        Body::Allow(words) => {
            let (code, why) = words.parts.split_at(words.parts.len().min(2));
            let mut cells = vec![Cell::new("allow", parts(code)?, 0)];
            if !why.is_empty() {
                cells.push(Cell::new("why", parts(why)?, 1));
            }
            cells
        }
        Body::Assert(word, claim, why) => {
            let comma = if why.is_some() { "," } else { "" };
            let claim = format!("{} {}{comma}", plain(word)?, value(claim)?);
            let mut cells = vec![Cell::new("assert", claim, 0)];
            if let Some(why) = why {
                cells.push(Cell::new("why", plain(why)?, 1));
            }
            cells
        }
        Body::Decl(head, set) => {
            let mut cells = vec![Cell::new("", value(head)?, 0)];
            cells.extend(setting(set, true)?);
            cells
        }
        Body::Record(head, inside) => {
            let mut cells = vec![Cell::new("", value(head)?, 0)];
            cells.extend(block(inside, "")?);
            cells
        }
        Body::Field(path, set) => {
            let mut cells = vec![Cell::new("", value(path)?, 0)];
            cells.extend(setting(set, true)?);
            cells
        }
        Body::Row(row) => {
            let mut cells = self::row(row)?;
            if row.expect.is_some() {
                let text = format!("expect {}", expectations(row)?.join(", "));
                cells.push(Cell::new("expect", text, GAP));
            }
            cells
        }
        Body::For(head, values, rows) => {
            let rows = joined(&block(rows, "")?);
            let text = format!("{} {} {rows}", value(head)?, value(values)?);
            vec![Cell::new("", text, 0)]
        }
    })
}

/// The label and the fields of a row.
pub(super) fn row(row: &Row) -> Option<Vec<Cell>> {
    let mut cells = vec![Cell::new("row", plain(&row.word)?, 0)];
    let mut key = "first".to_owned();
    if let Some(label) = &row.label {
        cells.push(Cell::new("label", plain(label)?, 1));
        key += " behind a label";
    }
    for (i, (path, set)) in row.fields.iter().enumerate() {
        let path = value(path)?;
        let mut field = match set {
            Some(set) => {
                let mut field = setting(set, false)?;
                field[0].text = format!("{path} {}", field[0].text);
                field
            }
            None => vec![Cell::new("", path.clone(), 1)],
        };
        field[0].key = key;
        field[0].gap = 1;
        key = path;
        if i + 1 < row.fields.len()
            && let Some(last) = field.last_mut()
        {
            last.text.push(',');
        }
        cells.extend(field);
    }
    // The path before a cell is part of its key, the last path that of nothing.
    Some(cells)
}

/// The published numbers of a row.
pub(super) fn expectations(row: &Row) -> Option<Vec<String>> {
    let Some((word, cells)) = &row.expect else {
        return Some(vec![]);
    };
    plain(word)?;
    let cells = cells.iter().map(|c| plain(c).map(str::to_owned));
    cells.collect()
}

/// `= value`: where it is a call with named arguments, a cell for each; where it is a copy, one for each changed field.
fn setting(set: &Setting, is_wide: bool) -> Option<Vec<Cell>> {
    let eq = plain(&set.eq)?;
    let parts = &set.value.parts;
    if let [callee @ .., last] = parts.as_slice() {
        match &last.kind {
            PartKind::Bracket(bracket) if is_call(callee, bracket) => {
                return call(eq, callee, bracket);
            }
            PartKind::Block(inside) if is_wide => {
                let [base @ .., _] = callee else { return None };
                let mut cells = vec![Cell::new("=", format!("{eq} {}", self::parts(base)?), 1)];
                self::parts(callee)?;
                cells.extend(block(inside, "with ")?);
                return Some(cells);
            }
            PartKind::Bracket(_) | PartKind::Block(_) | PartKind::Piece(_) => {}
        }
    }
    Some(vec![Cell::new(
        "=",
        format!("{eq} {}", value(&set.value)?),
        1,
    )])
}

/// `name(argument: value, ...)` and nothing else.
fn is_call(callee: &[Part], bracket: &Bracket) -> bool {
    let is_named = |value: &Value| matches!(value.parts.get(1), Some(Part { kind: PartKind::Piece(p), .. }) if p.text == ":");
    matches!(callee, [Part { kind: PartKind::Piece(p), .. }] if p.shape == Shape::Word)
        && bracket.members.len() > 1
        && bracket.members.iter().all(|m| is_named(&m.value))
}

fn call(eq: &str, callee: &[Part], bracket: &Bracket) -> Option<Vec<Cell>> {
    self::bracket(bracket)?;
    let callee = parts(callee)?;
    let mut cells: Vec<Cell> = vec![];
    let mut first = callee.clone();
    for (i, member) in bracket.members.iter().enumerate() {
        let text = value(&member.value)?;
        let end = if i + 1 < bracket.members.len() {
            ","
        } else {
            bracket.close
        };
        let name = member.value.parts.first().and_then(part)?;
        cells.push(match i {
            0 => {
                first = format!("{callee}|{name}");
                Cell::new("=", format!("{eq} {callee}({text}{end}"), 1)
            }
            // The first cell has no room for function and argument in its key.
            1 => Cell::new(&format!("{first}|{name}"), format!("{text}{end}"), 1),
            _ => Cell::new(&format!(",{name}"), format!("{text}{end}"), 1),
        });
    }
    Some(cells)
}

/// Cells side by side, without alignment.
pub(super) fn joined(cells: &[Cell]) -> String {
    let mut text = String::new();
    for cell in cells {
        if !text.is_empty() {
            text += &" ".repeat(cell.gap);
        }
        text += &cell.text;
    }
    text
}

/// Takes the blanks around `-` and `/` away where they join closely: chains of augmentations as the paper writes them
/// (`MSC-HF-CJ`), a layer and its norm and activation (`fc(512)-bn-relu`), and fractions (`1/2`).
pub(super) fn tighten(value: &mut Value, is_loss: bool) {
    for part in &mut value.parts {
        match &mut part.kind {
            PartKind::Bracket(bracket) => {
                let members = bracket.members.iter_mut();
                members.for_each(|m| tighten(&mut m.value, is_loss));
            }
            PartKind::Block(block) => block.entries.iter_mut().for_each(tighten_entry),
            PartKind::Piece(_) => {}
        }
    }
    let joins: Vec<usize> = (1..value.parts.len())
        .filter(|&i| sign(&value.parts[i]) == "-" && value.parts[i].may_break)
        .collect();
    let mut start = 0;
    while start < joins.len() {
        // A run of links that nothing but `-` joins.
        let mut end = start + 1;
        while end < joins.len() && is_link(&value.parts[joins[end - 1] + 1..joins[end]]) {
            end += 1;
        }
        tighten_chain(&mut value.parts, &joins[start..end], is_loss);
        start = end;
    }
    for i in 1..value.parts.len().saturating_sub(1) {
        let is_whole = |part: &Part| sign(part).bytes().all(|b| b.is_ascii_digit());
        let is_free = |part: Option<&Part>| part.is_none_or(|p| sign(p) != "/");
        if sign(&value.parts[i]) == "/"
            && is_whole(&value.parts[i - 1])
            && is_whole(&value.parts[i + 1])
            && is_free(i.checked_sub(2).and_then(|i| value.parts.get(i)))
            && is_free(value.parts.get(i + 2))
        {
            value.parts[i].has_gap = false;
            value.parts[i + 1].has_gap = false;
        }
    }
}

fn tighten_chain(parts: &mut [Part], joins: &[usize], is_loss: bool) {
    let from = (0..joins[0])
        .rev()
        .find(|&i| is_operator(&parts[i]))
        .map_or(0, |i| i + 1);
    let last = joins[joins.len() - 1];
    let to = (last + 1..parts.len())
        .find(|&i| is_operator(&parts[i]))
        .unwrap_or(parts.len());
    let mut bounds = vec![from];
    bounds.extend(joins.iter().map(|&i| i + 1));
    let ends = joins.iter().copied().chain([to]);
    let links: Vec<(usize, usize)> = bounds.into_iter().zip(ends).collect();
    let is_augmentation = |&(from, to): &(usize, usize)| {
        is_link(&parts[from..to])
            && sign(&parts[from]).starts_with(|c: char| c.is_ascii_uppercase())
    };
    let is_close = !is_loss && links.iter().all(is_augmentation);
    let mut was_close = false;
    for (k, &join) in joins.iter().enumerate() {
        let (from, to) = links[k];
        let is_layer = matches!(parts[to - 1].kind, PartKind::Bracket(_)) && to - from > 1;
        let next = &parts[links[k + 1].0..links[k + 1].1];
        let belongs = matches!(next, [one] if matches!(sign(one), "bn" | "relu"));
        was_close = is_close || belongs && (is_layer || was_close);
        if was_close {
            parts[join].has_gap = false;
            parts[join].may_break = false;
            parts[join + 1].has_gap = false;
        }
    }
}

/// A name, with its arguments where it has any.
fn is_link(parts: &[Part]) -> bool {
    match parts {
        [name, rest @ ..] => {
            matches!(&name.kind, PartKind::Piece(p) if p.shape == Shape::Word)
                && rest
                    .iter()
                    .all(|part| matches!(part.kind, PartKind::Bracket(_)))
        }
        [] => false,
    }
}

fn sign<'t>(part: &Part<'t>) -> &'t str {
    match &part.kind {
        PartKind::Piece(piece) => piece.text,
        PartKind::Bracket(_) | PartKind::Block(_) => "(",
    }
}

/// It joins or introduces operands.
fn is_operator(part: &Part) -> bool {
    part.may_break
        || matches!(
            sign(part),
            "-" | ":" | "with" | "on" | "for" | "in" | "@" | "<" | "!=" | "*" | "/"
        )
}

/// As [`tighten`], for all values of an item.
pub(super) fn tighten_entry(entry: &mut Entry) {
    let is_loss = |path: &Value| path.parts.last().is_some_and(|last| sign(last) == "loss");
    match &mut entry.body {
        Body::Use(_) | Body::Allow(_) => {}
        Body::Bare(value) | Body::Assert(_, value, _) => tighten(value, true),
        Body::Decl(head, set) => {
            let is_loss = head.parts.first().is_some_and(|kind| sign(kind) == "loss");
            tighten(&mut set.value, is_loss);
        }
        Body::Record(_, block) => block.entries.iter_mut().for_each(tighten_entry),
        Body::Field(path, set) => tighten(&mut set.value, is_loss(path)),
        Body::Row(row) => {
            for (path, set) in &mut row.fields {
                if let Some(set) = set {
                    tighten(&mut set.value, is_loss(path));
                }
            }
        }
        Body::For(head, values, block) => {
            let is_loss = head.parts.iter().any(|part| sign(part) == "loss");
            tighten(values, is_loss);
            block.entries.iter_mut().for_each(tighten_entry);
        }
    }
}
