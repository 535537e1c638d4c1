//! Draws diagnostics with their source lines, or writes them as JSON. The only place that knows about colour.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use grammar::diagnostic::{Diagnostic, Label, Severity};
use grammar::span::{FileId, Sources, Span};
use serde::Serialize;

/// How diagnostics are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Prints all `diagnostics`.
pub fn print(sources: &Sources, diagnostics: &[Diagnostic], format: Format) {
    match format {
        Format::Text => {
            let is_styled =
                std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            let mut out = std::io::stderr().lock();
            for diagnostic in diagnostics {
                // Nothing can be said about a broken standard error.
                let _ = writeln!(out, "{}\n", draw(sources, diagnostic, is_styled));
            }
        }
        Format::Json => diagnostics
            .iter()
            .for_each(|d| write_out(&(json(sources, d) + "\n"))),
    }
}

/// Writes to standard output. A reader that has gone (`| head`) is no error; an output that cannot be written, such as a file on
/// a full disk, ends the process with a message and exit code 1.
pub fn write_out(text: &str) {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if let Err(cause) = written
        && cause.kind() != std::io::ErrorKind::BrokenPipe
    {
        records::say(&format!(
            "error: cannot write to standard output: {cause}\n  = help: make room, or send the output elsewhere"
        ));
        std::process::exit(1);
    }
}

/// A text without its end where it is too long to be read, such as a name of megabytes.
fn clipped(text: &str) -> Cow<'_, str> {
    const MOST: usize = 1000;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => Cow::Owned(format!("{}...", &text[..at])),
        None => Cow::Borrowed(text),
    }
}

/// More source than this is not drawn; its place is named.
const LONGEST: usize = 100_000;

/// The diagnostic as text: headline, source lines with carets, notes and help.
pub fn draw(sources: &Sources, diagnostic: &Diagnostic, is_styled: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let message = clipped(&diagnostic.message);
    let title = level.primary_title(message.as_ref()).id(diagnostic.code.0);
    let mut group = Group::with_title(title);
    // Places by file, the primary file first.
    let mut places: BTreeMap<(bool, FileId), Vec<(AnnotationKind, &Label)>> = BTreeMap::new();
    let primary = &diagnostic.primary;
    let labels = diagnostic
        .labels
        .iter()
        .map(|label| (AnnotationKind::Context, label));
    for (kind, label) in std::iter::once((AnnotationKind::Primary, primary)).chain(labels) {
        let is_other = label.span.file != primary.span.file;
        places
            .entry((is_other, label.span.file))
            .or_default()
            .push((kind, label));
    }
    for ((_, file), labels) in places {
        let source = sources.get(file);
        if source.text.is_empty() {
            group = group.element(Origin::path(source.name.as_str()));
            continue;
        }
        // Only the lines that are shown are handed on, for a file may be long, and a line too.
        let whole = labels.iter().map(|(_, label)| label.span);
        let whole = whole.reduce(Span::to).unwrap_or(primary.span);
        let (lines, number) = source.lines_of(whole);
        if lines.len() > LONGEST {
            let (line, column) = sources.line_column(file, labels[0].1.span.start);
            let place = Origin::path(source.name.as_str()).line(line as usize);
            group = group.element(place.char_column(column as usize));
            continue;
        }
        let text = &source.text[lines.clone()];
        let annotations = labels.into_iter().map(|(kind, label)| {
            let range = visible(&source.text, label.span);
            let annotation = kind.span(range.start - lines.start..range.end - lines.start);
            if label.text.is_empty() {
                annotation
            } else {
                annotation.label(label.text.as_str())
            }
        });
        group = group.element(
            Snippet::source(text)
                .line_start(number)
                .path(source.name.as_str())
                .annotations(annotations),
        );
    }
    let more = also_at(sources, diagnostic);
    let notes: Vec<Cow<'_, str>> = diagnostic
        .notes
        .iter()
        .chain(&more)
        .map(|note| clipped(note))
        .collect();
    for note in &notes {
        group = group.element(Level::NOTE.message(note.as_ref()));
    }
    let help = diagnostic.help.as_deref().map(clipped);
    if let Some(help) = &help {
        group = group.element(Level::HELP.message(help.as_ref()));
    }
    let renderer = if is_styled {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    renderer.render(&[group]).trim_end().to_owned()
}

/// The other places of which the same is to be said, as a note: three of them and how many more.
fn also_at(sources: &Sources, diagnostic: &Diagnostic) -> Option<String> {
    let places: Vec<String> = diagnostic
        .more
        .iter()
        .map(|span| {
            let (line, _) = sources.line_column(span.file, span.start);
            format!("{}:{line}", sources.get(span.file).name)
        })
        .collect();
    let (shown, rest) = places.split_at(places.len().min(3));
    let tail = match rest.len() {
        0 => String::new(),
        1 => " and at 1 more place".to_owned(),
        n => format!(" and at {n} more places"),
    };
    (!shown.is_empty()).then(|| format!("the same at {}{tail}", shown.join(", ")))
}

/// The span without the line end that it may begin or end with; an empty one stays a single caret.
fn visible(text: &str, span: Span) -> std::ops::Range<usize> {
    let (start, end) = (span.start as usize, (span.end as usize).min(text.len()));
    let trimmed = text[start..end].trim_end().len();
    start..start + trimmed
}

/// A place as JSON.
#[derive(Serialize)]
struct Place<'d> {
    file: &'d str,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
    /// Bytes of the file, from 0.
    start: u32,
    end: u32,
}

/// A label or an edit as JSON.
#[derive(Serialize)]
struct Placed<'d> {
    #[serde(flatten)]
    place: Place<'d>,
    text: &'d str,
    /// Only for edits: safe to apply without asking.
    #[serde(skip_serializing_if = "Option::is_none")]
    certain: Option<bool>,
}

/// A diagnostic as JSON. Lines and columns count from 1, columns in characters; the end lies behind the last character,
/// in bytes too.
#[derive(Serialize)]
struct Object<'d> {
    code: &'d str,
    severity: &'d str,
    message: &'d str,
    #[serde(flatten)]
    place: Place<'d>,
    label: &'d str,
    labels: Vec<Placed<'d>>,
    notes: &'d [String],
    help: Option<&'d str>,
    edits: Vec<Placed<'d>>,
    /// It need not be shown unasked.
    quiet: bool,
    /// Why the file allows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    silenced: Option<&'d str>,
    /// Other places of which the same is to be said.
    more: Vec<Place<'d>>,
}

/// The diagnostic as one line of JSON.
pub fn json(sources: &Sources, diagnostic: &Diagnostic) -> String {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let labels = diagnostic.labels.iter().map(|label| Placed {
        place: place(sources, label.span),
        text: &label.text,
        certain: None,
    });
    let edits = diagnostic.edits.iter().map(|edit| Placed {
        place: place(sources, edit.span),
        text: &edit.text,
        certain: Some(edit.is_certain),
    });
    let object = Object {
        code: diagnostic.code.0,
        severity,
        message: &diagnostic.message,
        place: place(sources, diagnostic.primary.span),
        label: &diagnostic.primary.text,
        labels: labels.collect(),
        notes: &diagnostic.notes,
        help: diagnostic.help.as_deref(),
        edits: edits.collect(),
        quiet: diagnostic.is_quiet,
        silenced: diagnostic.silenced.as_deref(),
        more: diagnostic
            .more
            .iter()
            .map(|span| place(sources, *span))
            .collect(),
    };
    serde_json::to_string(&object).expect("render: a diagnostic is plain data")
}

fn place(sources: &Sources, span: Span) -> Place<'_> {
    let (line, column) = sources.line_column(span.file, span.start);
    let (end_line, end_column) = sources.line_column(span.file, span.end);
    Place {
        file: &sources.get(span.file).name,
        line,
        column,
        end_line,
        end_column,
        start: span.start,
        end: span.end,
    }
}
