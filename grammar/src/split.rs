//! Splits a text that does not parse into stretches that fail or succeed on their own.

use crate::ast::Kind;
use crate::tokens::{RESERVED, Shape, Tokens};

/// How many brackets may stand open at once. Each costs the parser some kilobytes of stack.
const DEEPEST: usize = 64;

/// How many operators and suffixes may hang one below another, over all brackets: the height of the tree that later
/// stages walk.
const LONGEST: usize = 500;

/// The first token of each top-level item.
///
/// A word in the first column that opens a declaration does so even where a brace before it was never closed.
pub(crate) fn heads(tokens: &Tokens) -> Vec<usize> {
    let mut heads = vec![];
    let mut open: Vec<&str> = vec![];
    for i in 0..tokens.list.len() {
        match tokens.at(i) {
            bracket @ ("{" | "(" | "[") => open.push(bracket),
            // What closes nothing is no end of a block; a brace closes what was left open inside its block.
            "}" => open.truncate(open.iter().rposition(|b| *b == "{").unwrap_or(0)),
            bracket @ (")" | "]") => {
                let opener = if bracket == ")" { "(" } else { "[" };
                let block = open.iter().rposition(|b| *b == "{").map_or(0, |at| at + 1);
                if let Some(at) = open.iter().rposition(|b| *b == opener)
                    && at >= block
                {
                    open.truncate(at);
                }
            }
            _ if tokens.shape(i) == Some(Shape::Word) && is_head(tokens, i, open.len()) => {
                heads.push(i);
                open.clear();
            }
            _ => {}
        }
    }
    heads
}

fn is_head(tokens: &Tokens, i: usize, depth: usize) -> bool {
    let (word, next) = (tokens.at(i), tokens.at(i + 1));
    let opens = matches!(word, "use" | "assert");
    let is_kind = Kind::from_word(word).is_some();
    if depth > 0 {
        let declares = is_kind
            && tokens.is_name(i + 1)
            && (matches!(tokens.at(i + 2), "=" | "(" | "{")
                || tokens.shape(i + 2) == Some(Shape::Text));
        return tokens.list[i].at_margin && (opens || declares);
    }
    if !tokens.list[i].first_on_line {
        return false;
    }
    if RESERVED.contains(&word) {
        return opens;
    }
    if allows(tokens, i) {
        return true;
    }
    let is_named = if is_kind {
        matches!(
            tokens.shape(i + 1),
            Some(Shape::Word | Shape::Number | Shape::Text | Shape::OpenText)
        )
    } else {
        let opens_value =
            matches!(tokens.at(i + 2), "=" | "(" | "{") || tokens.shape(i + 2) == Some(Shape::Text);
        tokens.is_name(i + 1) && opens_value
    };
    // An indented field belongs to the block above it, though that may be closed too early.
    is_named
        || matches!(next, "=" | "{")
            && (tokens.list[i].at_margin || i == 0 || tokens.at(i - 1) != "}")
}

/// The brackets that stand open before token `i`, outermost first, as token indices.
pub(crate) fn open_before(tokens: &Tokens, i: usize) -> Vec<usize> {
    let mut open: Vec<usize> = vec![];
    for j in 0..i {
        open_or_close(tokens, j, &mut open);
    }
    open
}

/// What token `j` does to the brackets that stand open before it: one that opens is among them, one that closes closes what was
/// left open inside it too. Returns how many brackets fit nothing for it.
pub(crate) fn open_or_close(tokens: &Tokens, j: usize, open: &mut Vec<usize>) -> usize {
    let opener = match tokens.at(j) {
        "{" | "(" | "[" => {
            open.push(j);
            return 0;
        }
        "}" => "{",
        ")" => "(",
        "]" => "[",
        _ => return 0,
    };
    match open.iter().rposition(|&k| tokens.at(k) == opener) {
        Some(k) => {
            let left_open = open.len() - 1 - k;
            open.truncate(k);
            left_open
        }
        None => 1,
    }
}

/// Tokens `i` and following are `allow W0503`, or what looks meant so.
pub(crate) fn allows(tokens: &Tokens, i: usize) -> bool {
    tokens.at(i) == "allow"
        && tokens.on_one_line(i, i + 1)
        && (tokens.is_name(i + 1) || tokens.shape(i + 1) == Some(Shape::Text))
}

/// Token `i` opens an item of a block: `row`, `for`, `allow` or a path followed by `=`, but not a field of a row.
pub(crate) fn opens_item(tokens: &Tokens, i: usize) -> bool {
    match tokens.at(i) {
        "row" | "for" => {
            tokens.list[i].first_on_line || matches!(tokens.at(i.wrapping_sub(1)), "{" | "}")
        }
        _ if !tokens.is_name(i) => false,
        _ if allows(tokens, i) => i == 0 || tokens.at(i - 1) != ",",
        _ => {
            let before = if i == 0 { "" } else { tokens.at(i - 1) };
            let is_in_row = matches!(before, "." | "," | "row" | "for" | "(")
                || i > 1 && tokens.shape(i - 1) == Some(Shape::Text) && tokens.at(i - 2) == "row";
            !is_in_row && path_end(tokens, i).is_some_and(|end| tokens.at(end) == "=")
        }
    }
}

/// One past the last token of the dotted name that starts at token `i`.
pub(crate) fn path_end(tokens: &Tokens, i: usize) -> Option<usize> {
    let mut end = i;
    loop {
        if !tokens.is_name(end) {
            return None;
        }
        if tokens.at(end + 1) != "." {
            return Some(end + 1);
        }
        end += 2;
    }
}

/// The tokens `start..end` of the block item that holds token `i`, if a block holds it.
pub(crate) fn item_around(tokens: &Tokens, i: usize) -> Option<(usize, usize)> {
    let (starts, end) = items_around(tokens, i)?;
    starts.last().map(|&start| (start, end))
}

/// The first tokens of the items of the block that holds token `i`, up to the item that holds it.
pub(crate) fn items_until(tokens: &Tokens, i: usize) -> Option<Vec<usize>> {
    items_around(tokens, i).map(|(starts, _)| starts)
}

/// The items of the block around token `i` up to the one that holds it, by their first tokens, and where that one ends.
fn items_around(tokens: &Tokens, i: usize) -> Option<(Vec<usize>, usize)> {
    let open = open_before(tokens, i);
    let brace = *open.iter().rev().find(|&&k| tokens.at(k) == "{")?;
    let mut starts = vec![brace + 1];
    let mut depth = 0_usize;
    for j in brace + 1..tokens.list.len() {
        match tokens.at(j) {
            "{" => depth += 1,
            "}" if depth == 0 => return Some((starts, j)),
            "}" => depth -= 1,
            _ if depth == 0 && opens_item(tokens, j) => {
                if j > i {
                    return Some((starts, j));
                }
                if starts.last() != Some(&j) {
                    starts.push(j);
                }
            }
            _ => {}
        }
    }
    Some((starts, tokens.list.len()))
}

/// The first token at which the text nests too deeply to be parsed, if any.
pub(crate) fn too_deep(tokens: &Tokens) -> Option<usize> {
    /// One open bracket: operators since the last comma or item, and the tallest part inside.
    #[derive(Default)]
    struct Level {
        is_group: bool,
        links: usize,
        tallest: usize,
        loops: usize,
    }
    impl Level {
        fn begin_part(&mut self) {
            let is_group = self.is_group;
            *self = Level {
                is_group,
                ..Level::default()
            };
        }
    }
    let mut levels = vec![Level::default()];
    for i in 0..tokens.list.len() {
        let depth = levels.len();
        let level = levels.last_mut()?;
        // A word behind a block begins the next item.
        if i > 0
            && tokens.at(i - 1) == "}"
            && tokens.shape(i) == Some(Shape::Word)
            && !matches!(tokens.at(i), "with" | "on")
            && !level.is_group
        {
            level.begin_part();
        }
        match tokens.at(i) {
            bracket @ ("{" | "(" | "[") => {
                level.links += 1;
                levels.push(Level {
                    is_group: bracket != "{",
                    ..Level::default()
                });
            }
            "}" | ")" | "]" if depth > 1 => {
                let height = level.links + level.tallest;
                levels.pop();
                let outer = levels.last_mut()?;
                outer.tallest = outer.tallest.max(height);
                outer.loops = 0;
            }
            "," | "=" | "row" | "assert" => level.begin_part(),
            "for" => level.loops += 1,
            "+" | "-" | "*" | "/" | "." | "@" | "on" | "with" | "->" | "<" | ">" | "==" | "<="
            | ">=" => level.links += 1,
            _ => {}
        }
        let level = levels.last()?;
        let loops: usize = levels.iter().map(|l| l.loops).sum();
        if levels.len() + loops > DEEPEST || level.links + level.tallest > LONGEST {
            return Some(i);
        }
    }
    None
}
