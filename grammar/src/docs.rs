//! Doc comments: lines that begin with `##`, and what they are written about.
//!
//! They stand directly above a declaration, an assertion, a field or a row, or behind it on the line where it begins. A line
//! is text, `source: Table S10 | code (warm-up)`, or `note TOPIC: text [source]`, a reading that is no value. A line
//! indented by two blanks more goes on with the one before.

use crate::ast::{Block, BlockItem, Body, Expr, ExprKind, Field, File, Item};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::{Span, Spanned};
use std::collections::BTreeMap;

/// What is written about one declaration, assertion, field or row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doc {
    /// Lines of plain text, in order.
    pub lines: Vec<Spanned<String>>,
    /// Where its value comes from, in order.
    pub sources: Vec<Spanned<Source>>,
    /// Readings that are no value, in order.
    pub notes: Vec<Spanned<Note>>,
}

/// Where a value comes from: `Table S10`, `code (warm-up)`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// Who says it.
    pub origin: Origin,
    /// The part of the value that it is about, where it is not about all of it.
    pub about: Option<String>,
}

/// Who says a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A place in a text: `Table S10`, `Sec. 4.3`, `Eq. 5`.
    Cited(String),
    /// The released code alone.
    Code,
    /// Neither the paper nor the released code: someone had to choose.
    NotReported,
    /// It is no claim about the paper.
    Ours,
}

/// A reading that is no value: what is done, under a topic that another module may answer differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The topic; empty for `note: text`.
    pub topic: String,
    /// What is done.
    pub text: String,
    /// Who says so; empty where it is whoever says the value.
    pub sources: Vec<Source>,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.origin {
            Origin::Cited(place) => f.write_str(place)?,
            Origin::Code => f.write_str("code")?,
            Origin::NotReported => f.write_str("not reported")?,
            Origin::Ours => f.write_str("ours")?,
        }
        match &self.about {
            Some(about) => write!(f, " ({about})"),
            None => Ok(()),
        }
    }
}

impl Source {
    /// Reads `code (warm-up)`; `None` where nothing is named.
    pub fn parse(text: &str) -> Option<Source> {
        let text = text.trim();
        let (origin, about) = match text.strip_suffix(')').and_then(|t| t.rsplit_once(" (")) {
            Some((origin, about)) => (origin.trim(), Some(about.trim().to_owned())),
            None => (text, None),
        };
        let origin = match origin {
            "" => return None,
            "code" => Origin::Code,
            "not reported" => Origin::NotReported,
            "ours" => Origin::Ours,
            place => Origin::Cited(place.to_owned()),
        };
        Some(Source { origin, about })
    }

    fn parse_all(text: &str) -> Vec<Source> {
        text.split('|').filter_map(Source::parse).collect()
    }
}

impl Doc {
    /// Nothing is written.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.sources.is_empty() && self.notes.is_empty()
    }

    /// Adds one entry, its continuation lines joined.
    fn read(&mut self, text: &str, span: Span) {
        if let Some(sources) = text.strip_prefix("source:") {
            let read = Source::parse_all(sources).into_iter();
            self.sources.extend(read.map(|s| Spanned::new(s, span)));
        } else if let Some(note) = Note::parse(text) {
            self.notes.push(Spanned::new(note, span));
        } else {
            self.lines.push(Spanned::new(text.to_owned(), span));
        }
    }
}

impl Note {
    /// Reads `note TOPIC: text [source | source]`.
    fn parse(line: &str) -> Option<Note> {
        let (topic, text) = line.strip_prefix("note")?.split_once(':')?;
        if !topic.is_empty() && !topic.starts_with(' ') {
            return None;
        }
        let text = text.trim();
        let (text, sources) = match text.strip_suffix(']').and_then(|t| t.rsplit_once('[')) {
            Some((text, sources)) => (text.trim_end(), Source::parse_all(sources)),
            None => (text, vec![]),
        };
        Some(Note {
            topic: topic.trim().to_owned(),
            text: text.to_owned(),
            sources,
        })
    }
}

/// How many bytes copies of comments may take: what one stands above or behind may be many fields on one line, and each keeps its
/// own.
const MOST_COPIED: usize = 64 << 20;

/// What a line of a comment takes beside its text.
const LINE_BYTES: usize = 64;

/// What the doc comments of `file` are about, by the span of the item; items without any are absent. The error is that they are
/// about too much.
pub(crate) fn attach(text: &str, file: &File) -> Result<BTreeMap<Span, Doc>, Box<Diagnostic>> {
    let lines = Lines::new(text);
    let mut items = items(file, &lines);
    let mut docs: BTreeMap<Span, Doc> = BTreeMap::new();
    let mut left = MOST_COPIED;
    let mut above: Vec<Entry> = vec![];
    let mut last_line = None;
    for comment in &file.comments {
        let start = comment.span.start as usize;
        let line = lines.of(start);
        let stands_alone = text[lines.starts[line]..start].trim().is_empty();
        let entry = Entry::read(comment);
        if !stands_alone {
            above.clear();
            if let Some(entry) = entry {
                let about = items.behind(line, start);
                spend(&mut left, std::slice::from_ref(&entry), about.len())?;
                for item in about {
                    let doc = docs.entry(item).or_default();
                    doc.read(&entry.text, entry.span);
                }
            }
            continue;
        }
        if last_line != Some(line.wrapping_sub(1)) {
            above.clear();
        }
        last_line = Some(line);
        match entry {
            None => above.clear(),
            Some(entry) => match above.last_mut().filter(|_| entry.goes_on) {
                Some(before) => {
                    before.text.push(' ');
                    before.text += &entry.text;
                    before.span = before.span.to(entry.span);
                }
                None => above.push(entry),
            },
        }
        let about = items.on(line + 1);
        if about.is_empty() {
            continue;
        }
        spend(&mut left, &above, about.len())?;
        let mut fresh = Doc::default();
        for entry in &above {
            fresh.read(&entry.text, entry.span);
        }
        // What stands above comes before what stands behind.
        docs.extend(about.iter().map(|item| (*item, fresh.clone())));
    }
    docs.retain(|_, doc| !doc.is_empty());
    Ok(docs)
}

/// Takes the copies of `entries` for all of `items` but the first from what is `left`.
fn spend(left: &mut usize, entries: &[Entry], items: usize) -> Result<(), Box<Diagnostic>> {
    let length: usize = entries.iter().map(|e| e.text.len() + LINE_BYTES).sum();
    let rest = left.checked_sub(length.saturating_mul(items.saturating_sub(1)));
    match (rest, entries.first()) {
        (None, Some(first)) => {
            let message = format!("this comment is written about {items} fields at once");
            let diagnostic = Diagnostic::error(codes::TOO_DEEP, first.span, message)
                .help("put fields on lines of their own, each behind or below what is said of it");
            Err(Box::new(diagnostic))
        }
        (rest, _) => {
            *left = rest.unwrap_or(0);
            Ok(())
        }
    }
}

/// One line of a doc comment, or several that go on.
struct Entry {
    text: String,
    span: Span,
    goes_on: bool,
}

impl Entry {
    /// `None` for a comment that is no doc comment.
    fn read(comment: &Spanned<String>) -> Option<Entry> {
        let text = comment.value.strip_prefix('#')?;
        if !(text.is_empty() || text.starts_with([' ', '\t'])) {
            return None;
        }
        Some(Entry {
            text: text.trim().to_owned(),
            span: comment.span,
            goes_on: text.starts_with("   "),
        })
    }
}

/// Where the lines of a text begin.
struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    fn new(text: &str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        Lines {
            starts: std::iter::once(0).chain(ends).collect(),
        }
    }

    fn of(&self, byte: usize) -> usize {
        self.starts.partition_point(|&start| start <= byte) - 1
    }
}

/// The items of a file that may be written about.
#[derive(Default)]
struct Items {
    /// By the line where each begins, without those inside another that begins on the same line.
    by_line: BTreeMap<usize, Vec<Span>>,
    /// All of them with their last line, by where they begin.
    all: Vec<(Span, usize)>,
    /// How many of them begin before the comment that was asked about last, and those of them that may go on behind it.
    begun: usize,
    open: Vec<(Span, usize)>,
}

impl Items {
    fn add(&mut self, span: Span, inside: Option<usize>, lines: &Lines) -> Option<usize> {
        let line = lines.of(span.start as usize);
        if inside != Some(line) {
            self.by_line.entry(line).or_default().push(span);
        }
        let last = lines.of((span.end.max(span.start + 1) - 1) as usize);
        self.all.push((span, last));
        Some(line)
    }

    fn on(&self, line: usize) -> &[Span] {
        self.by_line.get(&line).map_or(&[], Vec::as_slice)
    }

    /// What a comment at byte `at` behind something on `line` is about: all that begins on the line, else the innermost item
    /// that goes on or ends there. Asked in the order of the text.
    fn behind(&mut self, line: usize, at: usize) -> Vec<Span> {
        let is_before = |span: &Span| (span.start as usize) < at;
        let begun: Vec<Span> = self.on(line).iter().copied().filter(is_before).collect();
        if !begun.is_empty() {
            return begun;
        }
        // Items come in the order in which they begin, so the last that is still open is the innermost.
        while let Some(item) = self.all.get(self.begun).filter(|(span, _)| is_before(span)) {
            self.open.push(*item);
            self.begun += 1;
        }
        while self.open.last().is_some_and(|(_, last)| *last < line) {
            self.open.pop();
        }
        self.open
            .last()
            .map(|(span, _)| *span)
            .into_iter()
            .collect()
    }
}

fn items(file: &File, lines: &Lines) -> Items {
    let mut items = Items::default();
    for item in &file.items {
        match item {
            Item::Assert(assert) => {
                items.add(assert.span, None, lines);
            }
            Item::Allow(_) => {}
            Item::Decl(decl) => {
                let line = items.add(decl.span, None, lines);
                match &decl.body {
                    Body::Expr(expr) => of_expr(expr, line, &mut items, lines),
                    Body::Block(block) => of_block(block, line, &mut items, lines),
                }
            }
        }
    }
    items
}

fn of_block(block: &Block, inside: Option<usize>, items: &mut Items, lines: &Lines) {
    for item in &block.items {
        of_item(item, inside, items, lines);
    }
}

fn of_item(item: &BlockItem, inside: Option<usize>, items: &mut Items, lines: &Lines) {
    match item {
        BlockItem::Field(field) => of_field(field, inside, items, lines),
        BlockItem::Row(row) => {
            items.add(row.span, inside, lines);
        }
        BlockItem::Allow(_) => {}
        BlockItem::For(sweep) => {
            for item in &sweep.body {
                of_item(item, inside, items, lines);
            }
        }
    }
}

fn of_field(field: &Field, inside: Option<usize>, items: &mut Items, lines: &Lines) {
    let line = items.add(field.span, inside, lines);
    of_expr(&field.value, line, items, lines);
}

/// The fields of `base with { ... }`.
fn of_expr(expr: &Expr, inside: Option<usize>, items: &mut Items, lines: &Lines) {
    if let ExprKind::With(base, block) = &expr.kind {
        of_expr(base, inside, items, lines);
        of_block(block, inside, items, lines);
    }
}

#[cfg(test)]
mod tests {
    use crate::ast::Item;
    use crate::span::Sources;

    /// The docs of a text, each as the item's first word or path and what is written about it.
    fn read(text: &str) -> Vec<String> {
        let mut sources = Sources::default();
        let id = sources.add("x.cc", text);
        let (file, found) = crate::parse(&sources, id);
        assert!(found.is_empty(), "{found:?}");
        let line = |(span, doc): (&crate::span::Span, &super::Doc)| {
            let item = sources.text(*span).split('=').next().unwrap_or("").trim();
            let texts = doc.lines.iter().map(|l| l.value.clone());
            let from = doc.sources.iter().map(|s| format!("<{}>", s.value));
            let notes = doc.notes.iter().map(|n| {
                let from: Vec<String> = n.value.sources.iter().map(|s| s.to_string()).collect();
                format!("({}: {} {from:?})", n.value.topic, n.value.text)
            });
            let all: Vec<String> = texts.chain(from).chain(notes).collect();
            format!("{item}: {}", all.join(" "))
        };
        file.docs.iter().map(line).collect()
    }

    #[test]
    fn docs_stand_above_or_behind() {
        let text = "
## Not about anything.

## Two blocks of the video,
##   in one line.
## source: Table S1 | code (p) | not reported | ours
augment HF = horizontal_flip(p: 0.5)
augment GS = gray_scale(p: 0.2)   ## source: Table S1
# no doc
pretrain x = y with {   ## A copy.
  bs = 2   es = 4       ## source: Table S10
  ## note fits: an error [code]
  ## note: no topic
  ep = 3
  seed = 0              # plain
}
eval e = f with { bs = 2 }   ## source: App. E
assert a == b, \"Eq. 2\"  ## source: Eq. 2
";
        assert_eq!(
            read(text),
            [
                "augment HF: Two blocks of the video, in one line. <Table S1> <code (p)> <not reported> <ours>",
                "augment GS: <Table S1>",
                "pretrain x: A copy.",
                "bs: <Table S10>",
                "es: <Table S10>",
                "ep: (fits: an error [\"code\"]) (: no topic [])",
                "eval e: <App. E>",
                "assert a: <Eq. 2>",
            ]
        );
    }

    #[test]
    fn docs_change_nothing_else() {
        let plain = "augment HF = horizontal_flip(p: 0.5)";
        let mut sources = Sources::default();
        let bare = sources.add("a.cc", plain);
        let documented = sources.add("b.cc", format!("{plain} ## source: code"));
        let kinds = |id| {
            let (file, found) = crate::parse(&sources, id);
            assert!(found.is_empty());
            file.items
                .iter()
                .map(|item| match item {
                    Item::Decl(decl) => (decl.name.value.clone(), decl.span.start, decl.span.end),
                    Item::Assert(assert) => (String::new(), assert.span.start, assert.span.end),
                    Item::Allow(allow) => (String::new(), allow.span.start, allow.span.end),
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(kinds(bare), kinds(documented));
    }
}
