//! What is wrong in a file, as data: the terminal, JSON and editors draw it each in their way.

use crate::span::Span;

/// How bad it is. Errors stop before the graph is made; warnings do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Severity {
    Error,
    Warning,
    Note,
}

/// The stable code of a message, `E0301`. `docs/language.md` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub &'static str);

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// A place that explains the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What about it; may be empty.
    pub text: String,
}

/// A change of the source that mends the mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced; empty to insert.
    pub span: Span,
    /// By what.
    pub text: String,
    /// Safe to apply without asking: there is one likely meaning.
    pub is_certain: bool,
}

/// One message: lower case, source in backticks, no full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its code.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// The headline.
    pub message: String,
    /// Where it is; the label under the carets may be empty.
    pub primary: Label,
    /// Other places that explain it.
    pub labels: Vec<Label>,
    /// Why, with the paper's section where there is one.
    pub notes: Vec<String>,
    /// What to write instead.
    pub help: Option<String>,
    /// The same as edits.
    pub edits: Vec<Edit>,
    /// It need not be shown unasked: it is about what a shipped module sets and the file takes over, or it is slight.
    pub is_quiet: bool,
    /// Other places of which the same is to be said.
    pub more: Vec<Span>,
    /// Why the file allows it; then it is a quiet note.
    pub silenced: Option<String>,
}

/// How many mistakes of one file are worth naming at once.
pub const MOST_MESSAGES: usize = 500;

/// Keeps the first [`MOST_MESSAGES`] of what was found, and says in the last one that there is more.
pub fn keep_first(found: &mut Vec<Diagnostic>) {
    if found.len() > MOST_MESSAGES {
        found.truncate(MOST_MESSAGES);
        if let Some(last) = found.last_mut() {
            last.notes.push(format!(
                "there are more; the first {MOST_MESSAGES} are shown"
            ));
        }
    }
}

impl Diagnostic {
    /// Takes `other` in if it says the same of another place: a warning or note with the same words about the same line of a
    /// shipped module.
    pub fn absorb(&mut self, other: &Diagnostic) -> bool {
        let is_same = self.is_quiet
            && other.is_quiet
            && (self.code, self.severity) == (other.code, other.severity)
            && self.message == other.message
            && self.silenced == other.silenced
            && !self.labels.is_empty()
            && self.labels.first() == other.labels.first();
        if is_same {
            let places = other.more.iter().chain([&other.primary.span]);
            for place in places {
                // They come in the order of the text, but for what several files say of one module.
                let is_new =
                    self.more.last().is_none_or(|last| last < place) || !self.more.contains(place);
                if *place != self.primary.span && is_new {
                    self.more.push(*place);
                }
            }
        }
        is_same
    }
}

impl Diagnostic {
    /// An error at `span`.
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, span, message)
    }

    /// A warning at `span`.
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, span, message)
    }

    fn new(code: Code, severity: Severity, span: Span, message: impl Into<String>) -> Self {
        let primary = Label {
            span,
            text: String::new(),
        };
        let message = message.into();
        Self {
            code,
            severity,
            message,
            primary,
            labels: vec![],
            notes: vec![],
            help: None,
            edits: vec![],
            is_quiet: false,
            more: vec![],
            silenced: None,
        }
    }

    /// Text under the carets of the primary place.
    pub fn here(mut self, text: impl Into<String>) -> Self {
        self.primary.text = text.into();
        self
    }

    /// Another place that explains the message.
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// A reason.
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// What to write instead.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// A replacement of `span` that mends the mistake without asking.
    pub fn edit(mut self, span: Span, text: impl Into<String>) -> Self {
        self.edits.push(Edit {
            span,
            text: text.into(),
            is_certain: true,
        });
        self
    }

    /// What it suggests may be meant, no more.
    pub fn doubt(&mut self) {
        self.edits
            .iter_mut()
            .for_each(|edit| edit.is_certain = false);
    }

    /// A replacement of `span` that may be meant: editors offer it, nobody applies it unasked.
    pub fn suggestion(mut self, span: Span, text: impl Into<String>) -> Self {
        self.edits.push(Edit {
            span,
            text: text.into(),
            is_certain: false,
        });
        self
    }
}
