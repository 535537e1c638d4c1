//! What the certain edits of messages make of files with one token dropped, doubled, swapped with the next or replaced by
//! another word of the file: never something worse, and a file that reads where every error had such an edit.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed
#![allow(clippy::disallowed_methods)] // the texts are files of the repository

mod repository;

use std::path::Path;

use grammar::diagnostic::{Diagnostic, Severity};
use grammar::span::{FileId, Sources};
use grammar::{fix, parse};
use repository::files;

/// How many mutations are made of each file.
const EACH: usize = 24;

/// How often a text is mended and read again before it is said to have no end.
const ROUNDS: usize = 10;

/// The experiments and the preludes, each with its name.
fn good() -> Vec<(String, String)> {
    let mut paths = files("../experiments");
    paths.extend(files("../compiler/prelude"));
    paths.sort();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let texts = paths.iter().map(|path| {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        (name, std::fs::read_to_string(path).unwrap())
    });
    texts.collect()
}

/// The bytes of the words, numbers, texts and signs; comments are left out.
fn tokens(text: &str) -> Vec<(usize, usize)> {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'%');
    let bytes = text.as_bytes();
    let (mut at, mut found) = (0, vec![]);
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            b'#' => {
                at += text[at..].find('\n').unwrap_or(text.len() - at);
                continue;
            }
            b'"' => at += text[at + 1..].find('"').unwrap() + 2,
            b if b.is_ascii_digit() => {
                while at < bytes.len() && is_word(bytes[at]) {
                    at += 1;
                }
            }
            b if is_word(b) && b != b'.' => {
                while at < bytes.len() && is_word(bytes[at]) && bytes[at] != b'.' {
                    at += 1;
                }
            }
            _ => {
                let sign = ["->", "==", "<=", ">=", "!="]
                    .into_iter()
                    .find(|sign| text[at..].starts_with(sign));
                at += sign.map_or(1, str::len);
            }
        }
        if !text[start..at].trim().is_empty() {
            found.push((start, at));
        }
    }
    found
}

/// The next of a fixed row of numbers, below `bound`.
fn draw(state: &mut u64, bound: usize) -> usize {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize % bound
}

/// `text` with one token changed, and what was done.
fn mutated(text: &str, tokens: &[(usize, usize)], state: &mut u64) -> (String, String) {
    let at = draw(state, tokens.len() - 1);
    let (start, end) = tokens[at];
    let (next_start, next_end) = tokens[at + 1];
    let word = &text[start..end];
    let (head, rest) = (&text[..start], &text[end..]);
    match draw(state, 4) {
        0 => (format!("{head}{rest}"), format!("without `{word}`")),
        1 => (
            format!("{head}{word} {word}{rest}"),
            format!("`{word}` twice"),
        ),
        2 => {
            let (next, gap) = (&text[next_start..next_end], &text[end..next_start]);
            let swapped = format!("{head}{next}{gap}{word}{}", &text[next_end..]);
            (swapped, format!("`{word}` behind `{next}`"))
        }
        _ => {
            let other = tokens[draw(state, tokens.len())];
            let other = &text[other.0..other.1];
            (
                format!("{head}{other}{rest}"),
                format!("`{other}` for `{word}`"),
            )
        }
    }
}

fn errors(text: &str) -> (Sources, FileId, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    let file = sources.add("broken.cc", text);
    let (_, mut found) = parse(&sources, file);
    found.retain(|d| d.severity == Severity::Error);
    (sources, file, found)
}

fn told(sources: &Sources, found: &[Diagnostic]) -> String {
    let lines = found.iter().map(|d| {
        let (line, column) = sources.line_column(d.primary.span.file, d.primary.span.start);
        let help = d.help.as_deref().unwrap_or("");
        format!("    {} {line}:{column} {} ({help})\n", d.code, d.message)
    });
    lines.collect()
}

#[test]
fn certain_edits_make_no_file_worse_and_mend_what_they_are_for() {
    let (mut wrong, mut tried, mut mended) = (vec![], 0, 0);
    let mut state = 2023;
    for (file, text) in good() {
        let tokens = tokens(&text);
        for _ in 0..EACH {
            let (broken, what) = mutated(&text, &tokens, &mut state);
            let (sources, id, found) = errors(&broken);
            if found.is_empty() {
                continue;
            }
            tried += 1;
            let is_certain = |d: &Diagnostic| d.edits.iter().any(|edit| edit.is_certain);
            let are_all = found.iter().all(is_certain);
            let (mut before, mut said) = (found.len(), told(&sources, &found));
            let (mut now, mut changes) = fix::apply(&sources, id, &found);
            let mut verdict = None;
            for round in 0.. {
                if changes.is_empty() {
                    verdict = (are_all && before > 0).then_some("errors are left");
                    break;
                }
                if round == ROUNDS {
                    verdict = Some("there is no end to it");
                    break;
                }
                let (sources, id, left) = errors(&now);
                for change in &changes {
                    said += &format!("  `{}` becomes `{}`\n", change.before, change.after);
                }
                said += &told(&sources, &left);
                if left.len() > before {
                    verdict = Some("there are more errors");
                    break;
                }
                before = left.len();
                (now, changes) = fix::apply(&sources, id, &left);
            }
            mended += usize::from(before == 0);
            if let Some(how) = verdict {
                wrong.push(format!("{file} {what}: {how}\n{said}"));
            }
        }
    }
    let shown: Vec<&str> = wrong.iter().take(20).map(String::as_str).collect();
    assert!(tried > 300 && mended > 50, "{tried} tried, {mended} mended");
    assert!(
        wrong.is_empty(),
        "{} of {tried}:\n{}",
        wrong.len(),
        shown.concat()
    );
}
