//! `fix`: what is certain to be meant, written.

use std::path::Path;

use compiler::counted;
use grammar::diagnostic::{Diagnostic, Severity};
use grammar::fix::{Change, apply};
use grammar::span::Sources;
use records::folder::rewrite;
use records::say;

use crate::cli::Fix;
use crate::failure::{Failure, Result};
use crate::load::{self, STANDARD_INPUT};
use crate::render::{self, Format, write_out};

/// How often a text is checked again. A mistake can hide another, but not so many.
const MOST_ROUNDS: usize = 64;

/// Mends all files, says what was changed and what remains; fails if errors do.
pub fn fix(arguments: &Fix) -> Result<()> {
    let (mut changed, mut files, mut errors, mut warnings) = (0, 0, 0, 0);
    let mut is_filter = false;
    for path in &crate::files::files(&arguments.files) {
        let is_input = load::is_standard_input(path);
        is_filter |= is_input;
        let mended = mend(path);
        let name = name(path);
        for change in &mended.changes {
            let (line, column) = change.place;
            let Change { before, after, .. } = change;
            let line = format!(
                "{name}:{line}:{column}: {}: {}",
                change.code,
                shown(before, after)
            );
            if is_input {
                say(&line);
            } else {
                write_out(&(line + "\n"));
            }
        }
        let text = mended.text.as_deref();
        if let Some(text) = text.filter(|_| !arguments.dry_run) {
            if is_input {
                write_out(text);
            } else if !mended.changes.is_empty() {
                rewrite(path, text.as_bytes())?;
            }
        }
        let loud: Vec<Diagnostic> = mended
            .left
            .iter()
            .filter(|d| !d.is_quiet)
            .cloned()
            .collect();
        render::print(&mended.sources, &loud, Format::Text);
        let count = |severity| {
            mended
                .left
                .iter()
                .filter(|d| d.severity == severity)
                .count()
        };
        errors += count(Severity::Error);
        warnings += count(Severity::Warning);
        changed += mended.changes.len();
        files += usize::from(!mended.changes.is_empty());
    }
    let done = if arguments.dry_run {
        "would fix"
    } else {
        "fixed"
    };
    let left = match (errors, warnings) {
        (0, 0) => "none is left".to_owned(),
        (0, _) => format!("{} left", counted(warnings, "warning")),
        (_, 0) => format!("{} left", counted(errors, "error")),
        (_, _) => format!(
            "{}, {} left",
            counted(errors, "error"),
            counted(warnings, "warning")
        ),
    };
    let files = counted(files, "file");
    let summary = format!("{done} {} in {files}; {left}", counted(changed, "mistake"));
    if is_filter {
        say(&summary);
    } else {
        write_out(&(summary + "\n"));
    }
    if errors > 0 {
        Err(Failure::said())
    } else {
        Ok(())
    }
}

/// A file after all that could be done for it.
struct Mended {
    sources: Sources,
    /// `None` if it cannot be read.
    text: Option<String>,
    changes: Vec<Change>,
    /// What is still to be said.
    left: Vec<Diagnostic>,
}

/// Checks and changes a text until nothing more can be applied.
fn mend(path: &Path) -> Mended {
    let name = name(path);
    let mut sources = compiler::sources();
    let mut changes = vec![];
    let mut text = match load::add(&mut sources, path, &name) {
        Ok(file) => sources.get(file).text.clone(),
        Err(unreadable) => {
            return Mended {
                sources,
                text: None,
                changes,
                left: vec![*unreadable],
            };
        }
    };
    let mut rounds = 0;
    loop {
        let (checked, file, left) = load::check_text(&name, &text);
        let (made, new) = apply(&checked, file, &left);
        if new.is_empty() || made == text || rounds == MOST_ROUNDS {
            return Mended {
                sources: checked,
                text: Some(text),
                changes,
                left,
            };
        }
        changes.extend(new);
        text = made;
        rounds += 1;
    }
}

fn name(path: &Path) -> String {
    if load::is_standard_input(path) {
        STANDARD_INPUT.to_owned()
    } else {
        path.display().to_string()
    }
}

/// What became of some words.
fn shown(before: &str, after: &str) -> String {
    match (before, after) {
        ("", _) => format!("inserted `{after}`"),
        (_, "") => format!("removed `{before}`"),
        _ => format!("`{before}` -> `{after}`"),
    }
}
