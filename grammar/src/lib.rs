//! Text to syntax tree: pure, no I/O.
//!
//! A file that follows the grammar is read in one go. One that does not is split at its declarations, and each is read
//! on its own, so that a mistake hides neither the rest of the file nor the other mistakes in it.

pub mod ast;
mod build;
pub mod codes;
pub mod diagnostic;
pub mod docs;
pub mod fix;
pub mod format;
mod mistakes;
pub mod places;
pub mod query;
pub mod span;
mod split;
mod tokens;

use ast::{Field, File, Name, Use};
use build::{Form, Parts};
use diagnostic::{Diagnostic, Label};
use span::{FileId, Sources, Span, Spanned, Written};
use tokens::Tokens;

/// How many mistakes are looked for in one declaration: past that, more are likelier to be echoes.
const MOST_MISTAKES: usize = 16;

/// How many words and signs of a file are read again to find a second mistake in a declaration, and a third.
const MOST_AGAIN: usize = 2 * tokens::MOST;

/// Reads one file. Whatever the text is, this returns: the declarations that could be read, and what is wrong with the rest.
pub fn parse(sources: &Sources, file: FileId) -> (File, Vec<Diagnostic>) {
    parse_up_to(sources, file, tokens::MOST)
}

/// [`parse`] for a file that has at most `most` words, signs and comments.
fn parse_up_to(sources: &Sources, file: FileId, most: usize) -> (File, Vec<Diagnostic>) {
    let (mut tree, mut found) = read_file(sources, file, most);
    diagnostic::keep_first(&mut found);
    match docs::attach(&sources.get(file).text, &tree) {
        Ok(docs) => tree.docs = docs,
        Err(diagnostic) => found.push(*diagnostic),
    }
    (tree, found)
}

fn read_file(sources: &Sources, file: FileId, most: usize) -> (File, Vec<Diagnostic>) {
    let text = sources.get(file).text.as_str();
    let tokens = Tokens::up_to(text, most);
    let comments = tokens.comments.iter().map(|&(start, end)| {
        Spanned::new(
            text[start..end].trim_end_matches('\r').to_owned(),
            Span::new(file, start - 1, end),
        )
    });
    let mut tree = File {
        comments: comments.collect(),
        ..File::default()
    };
    if let Some(diagnostic) = mistakes::whole_file(&tokens, file) {
        return (tree, vec![diagnostic]);
    }
    if tokens.list.is_empty() {
        return (tree, vec![]);
    }
    let written = Written {
        file,
        offset: 0,
        text,
    };
    match build::build(&tokens, Form::File, written) {
        Ok(parts) => {
            (tree.uses, tree.items, tree.bare) = (parts.uses, parts.items, parts.bare);
            (tree, vec![])
        }
        Err(at) => {
            let found = recover(&tokens, file, &mut tree);
            let found = if found.is_empty() {
                vec![mistakes::explain(&tokens, Form::File, at, written, "").diagnostic]
            } else {
                found
            };
            (tree, found)
        }
    }
}

/// Reads each declaration on its own into `tree` and returns all mistakes; past the last that is shown, nothing is read.
fn recover(tokens: &Tokens, file: FileId, tree: &mut File) -> Vec<Diagnostic> {
    let mut starts = split::heads(tokens);
    let mut found = vec![];
    // The last `use` before all declarations.
    let mut early: Option<Use> = None;
    let has_heads = !starts.is_empty();
    let begins_alone = starts.first() != Some(&0);
    if begins_alone {
        starts.insert(0, 0);
    }
    let mut again = MOST_AGAIN;
    for (k, &start) in starts.iter().enumerate() {
        if found.len() > diagnostic::MOST_MESSAGES {
            tree.broken.extend(declared_name(tokens, start, file));
            continue;
        }
        let from = tokens.list[start].start;
        let to = starts
            .get(k + 1)
            .map_or(tokens.text.len(), |&next| tokens.list[next].start);
        // What stands before the first declaration can only be a lone expression.
        let is_lone = begins_alone && k == 0;
        let form = if is_lone { Form::File } else { Form::Items };
        let next = starts.get(k + 1).map_or("", |&next| tokens.at(next));
        let written = Written {
            file,
            offset: from,
            text: &tokens.text[from..to],
        };
        let stretch = read(written, form, next, &mut again);
        if let (Some(expr), true) = (&stretch.parts.bare, has_heads) {
            found.push(mistakes::lone_expression(expr));
        }
        if stretch.parts.bare.is_some() && !has_heads {
            tree.bare = stretch.parts.bare;
        }
        for line in stretch.parts.uses {
            if tree.items.is_empty() {
                early = Some(line.clone());
            } else if found.len() <= diagnostic::MOST_MESSAGES {
                found.push(mistakes::late_use(&line, early.as_ref(), tokens.text));
            }
            tree.uses.push(line);
        }
        tree.items.extend(stretch.parts.items);
        if !stretch.mistakes.is_empty() && !is_lone {
            tree.broken.extend(declared_name(tokens, start, file));
        }
        found.extend(stretch.mistakes);
    }
    found
}

/// Reads a place of a text as one expression; `None` where it is none.
pub fn expression(sources: &Sources, place: Span) -> Option<ast::Expr> {
    let text = sources.get(place.file).text.as_str();
    expression_of(text, place.file, place.start as usize, place.end as usize).ok()
}

/// Reads a place of a text as one field, `bs = 64`, and says what is wrong with it.
///
/// # Errors
///
/// Its mistakes of syntax.
pub fn field(sources: &Sources, place: Span) -> Result<Field, Vec<Diagnostic>> {
    let text = sources.text(place);
    if let Some(mistake) = mistakes::whole_file(&Tokens::new(text), place.file) {
        let primary = Label {
            span: place,
            ..mistake.primary
        };
        return Err(vec![Diagnostic { primary, ..mistake }]);
    }
    let written = Written {
        file: place.file,
        offset: place.start as usize,
        text,
    };
    let mut again = MOST_AGAIN;
    let mut stretch = read(written, Form::Field, "", &mut again);
    match stretch.parts.field.take() {
        Some(field) if stretch.mistakes.is_empty() => Ok(field),
        Some(_) | None => Err(stretch.mistakes),
    }
}

/// Reads bytes `start..end` of a text as one expression; the error is its first mistake.
fn expression_of(
    text: &str,
    file: FileId,
    start: usize,
    end: usize,
) -> Result<ast::Expr, Box<Diagnostic>> {
    let wrong = |code, message: &str| {
        Box::new(Diagnostic::error(
            code,
            Span::new(file, start, end),
            message,
        ))
    };
    if split::too_deep(&Tokens::new(&text[start..end])).is_some() {
        return Err(wrong(
            codes::TOO_DEEP,
            "this is nested too deeply to be read",
        ));
    }
    let mut again = MOST_AGAIN;
    let written = Written {
        file,
        offset: start,
        text: &text[start..end],
    };
    let mut stretch = read(written, Form::File, "", &mut again);
    if !stretch.mistakes.is_empty() {
        return Err(Box::new(stretch.mistakes.swap_remove(0)));
    }
    let bare = stretch.parts.bare;
    bare.ok_or_else(|| wrong(codes::UNEXPECTED, "this is no value"))
}

/// What was read of one stretch of a file.
struct Stretch {
    parts: Parts,
    mistakes: Vec<Diagnostic>,
}

/// Reads what is written and keeps as certain only the edits that leave no more mistakes than there are.
fn read(written: Written, form: Form, next: &str, again: &mut usize) -> Stretch {
    let mut stretch = read_on(written, form, next, again);
    let is_certain = |d: &Diagnostic| d.edits.iter().any(|edit| edit.is_certain);
    if !stretch.mistakes.iter().any(is_certain) {
        return stretch;
    }
    let text = fix::mended(
        written.file,
        written.offset,
        written.text,
        &stretch.mistakes,
    );
    let mended = Written {
        text: &text,
        ..written
    };
    if read_on(mended, form, next, again).mistakes.len() > stretch.mistakes.len() {
        stretch.mistakes.iter_mut().for_each(Diagnostic::doubt);
    }
    stretch
}

/// Reads what is written; after each mistake it tries again with that place mended or blanked, as long as `again` words may be
/// read again.
fn read_on(written: Written, form: Form, next: &str, again: &mut usize) -> Stretch {
    let mut text = written.text.to_owned();
    let mut mistakes: Vec<Diagnostic> = vec![];
    while mistakes.len() < MOST_MISTAKES {
        let tokens = Tokens::new(&text);
        let at = match build::build(&tokens, form, written) {
            Ok(parts) => return Stretch { parts, mistakes },
            Err(at) => at,
        };
        let mut mistake = mistakes::explain(&tokens, form, at, written, next);
        if !reads_on(&text, &mistake.diagnostic, form, written, again) {
            mistake.diagnostic.doubt();
        }
        let mended = mistake.repair.and_then(|repair| repair.apply(&text));
        if mistakes
            .iter()
            .all(|known| known.primary.span != mistake.diagnostic.primary.span)
        {
            mistakes.push(mistake.diagnostic);
        } else {
            break;
        }
        let left = again.checked_sub(tokens.list.len());
        match (mended, left) {
            (Some(mended), Some(left)) if mended != text => (text, *again) = (mended, left),
            _ => break,
        }
    }
    Stretch {
        parts: Parts::default(),
        mistakes,
    }
}

/// With the certain edits of `mistake` applied to `text`, a copy of what is `written`, the grammar takes what follows them, up
/// to another mistake at most.
fn reads_on(
    text: &str,
    mistake: &Diagnostic,
    form: Form,
    written: Written,
    again: &mut usize,
) -> bool {
    let certain = mistake.edits.iter().filter(|edit| edit.is_certain);
    let Some(last) = certain.map(|edit| edit.span.end as usize).max() else {
        return true;
    };
    let mistakes = std::slice::from_ref(mistake);
    let mended = fix::mended(written.file, written.offset, text, mistakes);
    let tokens = Tokens::new(&mended);
    let Some(left) = again.checked_sub(tokens.list.len()) else {
        return false;
    };
    *again = left;
    let Err(at) = build::build(&tokens, form, written) else {
        return true;
    };
    let behind = text.len().saturating_sub(last - written.offset);
    let first = tokens.index_at(mended.len().saturating_sub(behind));
    let stopped = tokens.index_at(at);
    let is_past = match split::item_around(&tokens, first) {
        Some((_, end)) => end <= stopped,
        None => stopped == tokens.list.len(),
    };
    // Another mistake in the same item makes it doubtful what was meant, unless it has a way out of its own.
    is_past
        || stopped >= first && {
            let next = mistakes::explain(&tokens, form, at, written, "").diagnostic;
            next.edits.iter().any(|edit| edit.is_certain)
        }
}

/// The name that the declaration at token `start` gives, as far as it can be made out.
fn declared_name(tokens: &Tokens, start: usize, file: FileId) -> Option<Name> {
    let at = if ast::Kind::from_word(tokens.at(start)).is_some() || tokens.is_name(start + 1) {
        start + 1
    } else {
        start
    };
    let token = tokens.list.get(at).filter(|_| tokens.is_name(at))?;
    Some(Spanned::new(
        tokens.at(at).to_owned(),
        Span::new(file, token.start, token.end),
    ))
}
