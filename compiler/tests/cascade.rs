//! One mistake is one message: good files with one thing broken, one thing at a time.
//!
//! A name that is misspelt where it is used gives one error, at that place. A name that is misspelt where it is declared, or a
//! declaration that is left out, gives an error at each place that uses it and nowhere else: what is built on such a place is
//! silent. A comma, a unit, a field or the name of a row's field that is left out gives one error at most, and so does a bracket
//! too many.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed
#![allow(clippy::disallowed_methods)] // the texts are files of the repository

mod shipped;

use std::path::{Path, PathBuf};

use compiler::Profile;
use grammar::diagnostic::{Diagnostic, Severity};
use grammar::span::{FileId, Sources};
use shipped::{experiments, used};

/// How many places of one file are broken; above that every n-th is.
const MOST: usize = 150;

/// How many files take part at least: all experiments, the correct cases, and the prelude.
const LEAST: usize = 29;

/// How many blocks of the documentation do.
const LEAST_BLOCKS: usize = 8;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The `.cc` files in a folder and below, sorted.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = folder
        .read_dir()
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|suffix| suffix == "cc") {
            found.push(path);
        }
    }
}

/// Texts without an error, each with a name: experiments, correct cases, the blocks of the language's documentation, and the
/// prelude as if it were the user's.
fn good() -> Vec<(String, String)> {
    let mut paths = vec![];
    files(&experiments(), &mut paths);
    for folder in ["graph", "plan"] {
        files(&root().join("tests/cases").join(folder), &mut paths);
    }
    paths.push(root().join("tests/cases/check/correct.cc"));
    let mut texts: Vec<(String, String)> = paths
        .iter()
        .map(|path| {
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    let prelude = std::fs::read_to_string(root().join("compiler/prelude/paper.cc")).unwrap();
    texts.push((
        "the prelude".to_owned(),
        prelude + "table t { of = crisscross  scores = [linear8 on UCF101]  row loss = intra }\n",
    ));
    let wrong: Vec<&str> = texts
        .iter()
        .filter(|(_, text)| !errors(text).1.is_empty())
        .map(|(name, _)| name.as_str())
        .collect();
    assert!(wrong.is_empty(), "{wrong:?} are to be without an error");
    let files = texts.len();
    assert!(files >= LEAST, "only {files} files");
    let language = std::fs::read_to_string(root().join("docs/language.md")).unwrap();
    for (at, block) in language.split("```cc\n").skip(1).enumerate() {
        let text = block.split("```").next().unwrap().to_owned();
        texts.push((format!("docs/language.md block {}", at + 1), text));
    }
    // The documentation shows mistakes as well.
    texts.retain(|(_, text)| errors(text).1.is_empty());
    let blocks = texts.len() - files;
    assert!(
        blocks >= LEAST_BLOCKS,
        "only {blocks} blocks of the documentation"
    );
    texts
}

fn errors(text: &str) -> (Sources, Vec<Diagnostic>, FileId) {
    let mut sources = compiler::sources();
    let file = sources.add("broken.cc", text);
    // Texts stand here without the folder that they come from.
    let beside = |_: &str, path: &str| used("", path).or_else(|| used("local/", path));
    let (_, mut found) = compiler::check(&mut sources, file, &beside, Profile::Full);
    found.retain(|d| d.severity == Severity::Error);
    (sources, found, file)
}

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Name,
    Number,
    Sign,
}

/// Names, numbers and signs with their places; comments and texts in quotes are left out.
fn tokens(text: &str) -> Vec<(Sort, usize, usize)> {
    let bytes = text.as_bytes();
    let (mut at, mut found) = (0, vec![]);
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            b'#' => at += text[at..].find('\n').unwrap_or(text.len() - at),
            b'"' => at += text[at + 1..].find('"').unwrap_or(text.len() - at - 2) + 2,
            b if b.is_ascii_digit() => {
                while at < bytes.len() && (is_word(bytes[at]) || matches!(bytes[at], b'.' | b'%')) {
                    at += 1;
                }
                found.push((Sort::Number, start, at));
            }
            b if is_word(b) => {
                while at < bytes.len() && is_word(bytes[at]) {
                    at += 1;
                }
                found.push((Sort::Name, start, at));
            }
            b => {
                at += 1;
                if !b.is_ascii_whitespace() {
                    found.push((Sort::Sign, start, at));
                }
            }
        }
    }
    found
}

const WORDS: [&str; 20] = [
    "use",
    "assert",
    "for",
    "in",
    "row",
    "expect",
    "with",
    "on",
    "modality",
    "data",
    "augment",
    "layers",
    "relaxation",
    "loss",
    "let",
    "pretrain",
    "eval",
    "table",
    "figure",
    "allow",
];

/// Does `text` hold `name` as a word?
fn mentions(text: &str, name: &str) -> bool {
    tokens(text)
        .iter()
        .any(|&(_, start, end)| &text[start..end] == name)
}

/// At most [`MOST`] of `all`, evenly spread.
fn sample<T: Clone>(all: &[T]) -> Vec<T> {
    let step = all.len().div_ceil(MOST).max(1);
    all.iter().step_by(step).cloned().collect()
}

fn told(sources: &Sources, found: &[Diagnostic]) -> String {
    let lines = found.iter().map(|d| {
        let (line, column) = sources.line_column(d.primary.span.file, d.primary.span.start);
        let text = sources.text(d.primary.span);
        format!("    {} {line}:{column} `{text}`: {}\n", d.code, d.message)
    });
    lines.collect()
}

/// Fails with all that `broken` says, at most 40 of them.
fn none(broken: Vec<String>, tried: usize) {
    assert!(tried > 40, "only {tried} things were broken");
    let shown: Vec<String> = broken.iter().take(40).cloned().collect();
    assert!(
        broken.is_empty(),
        "{} of {tried} give echoes:\n{}",
        broken.len(),
        shown.join("\n")
    );
}

#[test]
fn a_misspelt_name_is_one_error_where_it_stands_or_one_at_each_use() {
    let (mut wrong, mut tried, mut silent) = (vec![], 0, 0);
    for (file, text) in good() {
        let names: Vec<(usize, usize)> = tokens(&text)
            .into_iter()
            .filter(|&(sort, start, end)| sort == Sort::Name && !WORDS.contains(&&text[start..end]))
            .map(|(_, start, end)| (start, end))
            .collect();
        for (start, end) in sample(&names) {
            let name = &text[start..end];
            let broken = format!("{}{name}qzq{}", &text[..start], &text[end..]);
            let (sources, found, root) = errors(&broken);
            tried += 1;
            silent += usize::from(found.is_empty());
            let (from, to) = (start as u32, end as u32 + 3);
            let is_here = |d: &Diagnostic| {
                let span = d.primary.span;
                span.file == root && span.start < to && from < span.end
            };
            let elsewhere: Vec<Diagnostic> = found
                .iter()
                .filter(|d| !is_here(d) && !mentions(sources.text(d.primary.span), name))
                .cloned()
                .collect();
            let here = found.iter().filter(|d| is_here(d)).count();
            if !elsewhere.is_empty() || here > 1 {
                let (line, column) = sources.line_column(root, from);
                wrong.push(format!(
                    "{file}:{line}:{column} `{name}`\n{}",
                    told(&sources, &found)
                ));
            }
        }
    }
    assert!(silent * 5 < tried, "{silent} of {tried} are not noticed");
    none(wrong, tried);
}

#[test]
fn a_missing_declaration_is_one_error_at_each_use() {
    let (mut wrong, mut tried) = (vec![], 0);
    for (file, text) in good() {
        let mut sources = compiler::sources();
        let id = sources.add(file.clone(), text.clone());
        let (tree, _) = grammar::parse(&sources, id);
        for item in &tree.items {
            let grammar::ast::Item::Decl(decl) = item else {
                continue;
            };
            let (start, end) = (decl.span.start as usize, decl.span.end as usize);
            let left = format!("{}{}", &text[..start], &text[end..]);
            let (sources, found, _) = errors(&left);
            tried += 1;
            // A file of which nothing is left is told so.
            let is_stray = |d: &&Diagnostic| {
                d.code.0 != "E0408" && !mentions(sources.text(d.primary.span), &decl.name.value)
            };
            if found.iter().any(|d| is_stray(&d)) {
                let name = &decl.name.value;
                wrong.push(format!(
                    "{file} without `{name}`\n{}",
                    told(&sources, &found)
                ));
            }
        }
    }
    none(wrong, tried);
}

#[test]
fn a_missing_comma_unit_or_field_is_one_error_at_most() {
    let (mut wrong, mut tried) = (vec![], 0);
    for (file, text) in good() {
        let mut cuts: Vec<(usize, usize)> = vec![];
        for (sort, start, end) in tokens(&text) {
            let word = &text[start..end];
            match sort {
                Sort::Sign if word == "," => cuts.push((start, end)),
                Sort::Number => {
                    let unit = word.find(|c: char| c.is_ascii_alphabetic() || c == '%');
                    let is_size = word.contains('x') || word.contains(['e', 'E']);
                    cuts.extend(unit.filter(|_| !is_size).map(|at| (start + at, end)));
                }
                Sort::Sign | Sort::Name => {}
            }
        }
        cuts.extend(fields(&file, &text));
        for (start, end) in sample(&cuts) {
            let blank = " ".repeat(end - start);
            let broken = format!("{}{blank}{}", &text[..start], &text[end..]);
            let (sources, found, root) = errors(&broken);
            tried += 1;
            if found.len() > 1 {
                let (line, column) = sources.line_column(root, start as u32);
                wrong.push(format!(
                    "{file}:{line}:{column} without `{}`\n{}",
                    &text[start..end],
                    told(&sources, &found)
                ));
            }
        }
    }
    none(wrong, tried);
}

/// The fields of all blocks that are no rows.
fn fields(file: &str, text: &str) -> Vec<(usize, usize)> {
    use grammar::ast::{Body, ExprKind, Item};
    let mut sources = compiler::sources();
    let id = sources.add(file, text);
    let (tree, _) = grammar::parse(&sources, id);
    let mut found = vec![];
    for item in &tree.items {
        let Item::Decl(decl) = item else { continue };
        let block = match &decl.body {
            Body::Block(block) => Some(block),
            Body::Expr(expr) => {
                if let ExprKind::With(_, block) = &expr.kind {
                    Some(block)
                } else {
                    None
                }
            }
        };
        for item in block.iter().flat_map(|block| &block.items) {
            if let grammar::ast::BlockItem::Field(field) = item {
                found.push((field.span.start as usize, field.span.end as usize));
            }
        }
    }
    found
}

/// Where each field of a row begins, and where its value does.
fn heads_of_row_fields(file: &str, text: &str) -> Vec<(usize, usize)> {
    use grammar::ast::{BlockItem, Body, Item};
    fn walk(items: &[BlockItem], found: &mut Vec<(usize, usize)>) {
        for item in items {
            match item {
                BlockItem::Row(row) => found.extend(row.fields.iter().map(|field| {
                    (
                        field.path.span.start as usize,
                        field.value.span.start as usize,
                    )
                })),
                BlockItem::For(each) => walk(&each.body, found),
                BlockItem::Field(_) | BlockItem::Allow(_) => {}
            }
        }
    }
    let mut sources = compiler::sources();
    let id = sources.add(file, text);
    let (tree, _) = grammar::parse(&sources, id);
    let mut found = vec![];
    for item in &tree.items {
        if let Item::Decl(decl) = item
            && let Body::Block(block) = &decl.body
        {
            walk(&block.items, &mut found);
        }
    }
    found
}

#[test]
fn a_row_without_the_name_of_a_field_is_one_error_there() {
    let (mut wrong, mut tried) = (vec![], 0);
    for (file, text) in good() {
        for (start, end) in sample(&heads_of_row_fields(&file, &text)) {
            let broken = format!("{}{}", &text[..start], &text[end..]);
            let (sources, found, root) = errors(&broken);
            tried += 1;
            let (line, column) = sources.line_column(root, start as u32);
            let is_there = |d: &Diagnostic| {
                let span = d.primary.span;
                span.file == root && sources.line_column(root, span.start).0 == line
            };
            if found.len() != 1 || !is_there(&found[0]) {
                wrong.push(format!(
                    "{file}:{line}:{column} without `{}`\n{}",
                    &text[start..end],
                    told(&sources, &found)
                ));
            }
        }
    }
    none(wrong, tried);
}

#[test]
fn a_bracket_too_many_is_one_error() {
    let (mut wrong, mut tried) = (vec![], 0);
    for (file, text) in good() {
        let brackets: Vec<usize> = tokens(&text)
            .into_iter()
            .filter(|&(_, start, end)| matches!(&text[start..end], ")" | "]" | "}"))
            .map(|(_, _, end)| end)
            .collect();
        for end in sample(&brackets) {
            let bracket = &text[end - 1..end];
            let broken = format!("{}{bracket}{}", &text[..end], &text[end..]);
            let (sources, found, root) = errors(&broken);
            tried += 1;
            if found.len() != 1 {
                let (line, column) = sources.line_column(root, end as u32);
                wrong.push(format!(
                    "{file}:{line}:{column} with another `{bracket}`\n{}",
                    told(&sources, &found)
                ));
            }
        }
    }
    none(wrong, tried);
}

#[test]
fn certain_edits_of_names_and_values_make_no_file_worse() {
    let (mut wrong, mut tried) = (vec![], 0);
    for (file, text) in good() {
        let words: Vec<(usize, usize)> = tokens(&text)
            .into_iter()
            .filter(|&(sort, start, end)| sort != Sort::Sign && !WORDS.contains(&&text[start..end]))
            .map(|(_, start, end)| (start, end))
            .collect();
        for (at, (start, end)) in sample(&words).into_iter().enumerate().step_by(2) {
            // A slip, or another word of the file.
            let other = words[(at * 7919 + start) % words.len()];
            let word = &text[start..end];
            let new = if at % 4 == 0 {
                format!("{word}x")
            } else {
                text[other.0..other.1].to_owned()
            };
            let broken = format!("{}{new}{}", &text[..start], &text[end..]);
            let (sources, found, root) = errors(&broken);
            let (mended, changes) = grammar::fix::apply(&sources, root, &found);
            // A mistake of syntax may hide others.
            let is_syntax = |d: &Diagnostic| d.code.0.starts_with("E01");
            if changes.is_empty() || found.iter().any(is_syntax) {
                continue;
            }
            tried += 1;
            let (after, left, _) = errors(&mended);
            if left.len() > found.len() {
                let (line, column) = sources.line_column(root, start as u32);
                wrong.push(format!(
                    "{file}:{line}:{column} `{new}` for `{word}`\n{}  mended:\n{}",
                    told(&sources, &found),
                    told(&after, &left)
                ));
            }
        }
    }
    none(wrong, tried);
}
