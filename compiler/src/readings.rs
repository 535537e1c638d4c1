//! How two modules of the same names differ: each value as it is written, each note, and who says it.
//!
//! This is about what two texts say, not about what an experiment comes to: `paper` and `released` are readings of one paper.

use grammar::ast::{Block, Body, Decl, Expr, ExprKind, File, Item};
use grammar::docs::{Doc, Note, Origin, Source};
use grammar::span::{FileId, Sources, Span};
use serde::Serialize;
use std::collections::BTreeMap;

/// One place where two modules do not say the same, or where the first says what its paper does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What it is about.
    pub kind: Agreement,
    /// The declaration: `augment GB`.
    pub declaration: String,
    /// The field, in a block: `lr_b`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The topic, if it is a note and no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// What the first module says.
    pub left: Side,
    /// What the second module says.
    pub right: Side,
}

/// How two modules agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// They say different things.
    Differs,
    /// They say the same, and the first has it, or a part of it, from the released code or from nobody.
    Filled,
}

/// What one module says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Side {
    /// The value or note as written, without comments and line ends; `None` where the module says nothing.
    pub text: Option<String>,
    /// Who says it: `Table S10`, `code (warm-up)`.
    pub sources: Vec<String>,
}

impl Difference {
    /// What it is about, in one line: `crisscross.lr_b, warm-up`.
    pub fn what(&self) -> String {
        let field = self.field.iter().map(|field| format!(".{field}"));
        let topic = self.topic.iter().map(|topic| format!(", {topic}"));
        let parts: String = field.chain(topic).collect();
        format!("{}{parts}", self.declaration)
    }
}

/// All differences of two modules, in the order of the first, then what the second alone has.
pub fn differences(sources: &Sources, left: FileId, right: FileId) -> Vec<Difference> {
    let modules = [Module::read(sources, left), Module::read(sources, right)];
    let [left, right] = &modules;
    let mut found = vec![];
    for (name, of_left) in &left.said {
        compare(name, Some(of_left), right.find(name), &mut found);
    }
    for (name, of_right) in &right.said {
        if !left.writes(name) {
            compare(name, left.find(name), Some(of_right), &mut found);
        }
    }
    found
}

/// Where something is said: the declaration, and the field of a block.
type Place = (String, Option<String>);

/// What a module says, place by place.
#[derive(Default)]
struct Module {
    /// What it writes, in the order of its text.
    said: Vec<(Place, Said)>,
    /// What copies have from the declarations that they copy.
    inherited: BTreeMap<Place, Said>,
}

/// What is said at one place.
#[derive(Clone, Default)]
struct Said {
    value: Option<String>,
    sources: Vec<Source>,
    notes: Vec<Note>,
}

impl Module {
    fn read(sources: &Sources, id: FileId) -> Self {
        let (file, _) = grammar::parse(sources, id);
        let decls: BTreeMap<&str, &Decl> = decls(&file)
            .map(|decl| (decl.name.value.as_str(), decl))
            .collect();
        let mut module = Module::default();
        for item in &file.items {
            match item {
                Item::Assert(assert) => {
                    let place = (
                        format!("assert {}", written(sources, assert.claim.span)),
                        None,
                    );
                    let said = Said::of(file.docs.get(&assert.span), None, &[]);
                    module.said.push((place, said));
                }
                Item::Decl(decl) => module.add(sources, &file, &decls, decl),
                Item::Allow(_) => {}
            }
        }
        module
    }

    fn add(&mut self, sources: &Sources, file: &File, decls: &BTreeMap<&str, &Decl>, decl: &Decl) {
        let name = format!("{} {}", decl.kind.value.word(), decl.name.value);
        let own = Said::of(file.docs.get(&decl.span), None, &[]);
        let around = own.sources.clone();
        let Some((mut base, block)) = fields_and_base(decl) else {
            // From behind the name: parameters belong to the value.
            let start = decl.name.span.end;
            let rest = written(sources, Span { start, ..decl.span });
            let value = rest.strip_prefix("= ").unwrap_or(&rest).to_owned();
            let value = Some(value);
            self.said.push(((name, None), Said { value, ..own }));
            return;
        };
        let value = base.map(|base| format!("a copy of {}", written(sources, base.span)));
        self.said
            .push(((name.clone(), None), Said { value, ..own }));
        for (path, said) in fields(sources, file, block, &around) {
            self.said.push(((name.clone(), Some(path)), said));
        }
        // A copy of a copy ends after as many steps as there are declarations, or it is a ring.
        for _ in 0..decls.len() {
            let Some(ExprKind::Name(copied)) = base.map(|base| &base.kind) else {
                break;
            };
            let Some(decl) = decls.get(copied.as_str()) else {
                break;
            };
            let Some((next, block)) = fields_and_base(decl) else {
                break;
            };
            let around = Said::of(file.docs.get(&decl.span), None, &[]).sources;
            for (path, said) in fields(sources, file, block, &around) {
                let notes = vec![];
                let said = Said { notes, ..said };
                self.inherited
                    .entry((name.clone(), Some(path)))
                    .or_insert(said);
            }
            base = next;
        }
    }

    fn find(&self, place: &Place) -> Option<&Said> {
        let own = self.said.iter().find(|(known, _)| known == place);
        own.map(|(_, said)| said)
            .or_else(|| self.inherited.get(place))
    }

    fn writes(&self, place: &Place) -> bool {
        self.said.iter().any(|(known, _)| known == place)
    }
}

impl Said {
    /// What a note says on this topic.
    fn answer(&self, topic: &str) -> Answer {
        let Some(note) = self.notes.iter().find(|note| note.topic == topic) else {
            return (None, vec![]);
        };
        let sources = if note.sources.is_empty() {
            self.sources.clone()
        } else {
            note.sources.clone()
        };
        (Some(note.text.clone()), sources)
    }

    /// What `doc` says of a value; where it names no source, that of the declaration around it holds.
    fn of(doc: Option<&Doc>, value: Option<String>, around: &[Source]) -> Self {
        let own = |doc: &Doc| doc.sources.iter().map(|s| s.value.clone()).collect();
        let notes = |doc: &Doc| doc.notes.iter().map(|n| n.value.clone()).collect();
        let sources: Vec<Source> = doc.map(own).unwrap_or_default();
        Said {
            value,
            sources: if sources.is_empty() {
                around.to_vec()
            } else {
                sources
            },
            notes: doc.map(notes).unwrap_or_default(),
        }
    }
}

fn decls(file: &File) -> impl Iterator<Item = &Decl> {
    file.items.iter().filter_map(|item| match item {
        Item::Decl(decl) => Some(decl),
        Item::Assert(_) | Item::Allow(_) => None,
    })
}

/// The fields of a block with what is said of each.
fn fields(sources: &Sources, file: &File, block: &Block, around: &[Source]) -> Vec<(String, Said)> {
    block
        .fields()
        .map(|field| {
            let value = Some(written(sources, field.value.span));
            let said = Said::of(file.docs.get(&field.span), value, around);
            (field.path.to_string(), said)
        })
        .collect()
}

/// The fields of a declaration that is a block or a copy with some changed, and what is copied.
fn fields_and_base(decl: &Decl) -> Option<(Option<&Expr>, &Block)> {
    match &decl.body {
        Body::Block(block) => Some((None, block)),
        Body::Expr(expr) => {
            if let ExprKind::With(base, block) = &expr.kind {
                Some((Some(base), block))
            } else {
                None
            }
        }
    }
}

fn compare(place: &Place, left: Option<&Said>, right: Option<&Said>, found: &mut Vec<Difference>) {
    let nothing = Said::default();
    let (left, right) = (left.unwrap_or(&nothing), right.unwrap_or(&nothing));
    let values = (left.value.as_ref(), right.value.as_ref());
    if values != (None, None) {
        let left = (left.value.clone(), left.sources.clone());
        let right = (right.value.clone(), right.sources.clone());
        found.extend(difference(place, None, left, right));
    }
    let is_new = |topic: &&str| !left.notes.iter().any(|note| note.topic == **topic);
    let topics = |said: &'_ Said| -> Vec<String> {
        said.notes.iter().map(|note| note.topic.clone()).collect()
    };
    let of_right = topics(right);
    let of_right = of_right.into_iter().filter(|topic| is_new(&topic.as_str()));
    for topic in topics(left).into_iter().chain(of_right) {
        let (of_left, of_right) = (left.answer(&topic), right.answer(&topic));
        found.extend(difference(place, Some(topic), of_left, of_right));
    }
}

/// What is said, and who says it.
type Answer = (Option<String>, Vec<Source>);

fn difference(
    place: &Place,
    topic: Option<String>,
    left: Answer,
    right: Answer,
) -> Option<Difference> {
    let is_filled = left.1.iter().any(|source| match &source.origin {
        Origin::Code | Origin::NotReported => true,
        Origin::Cited(_) | Origin::Ours => false,
    });
    let kind = match (left.0 == right.0, is_filled) {
        (false, _) => Agreement::Differs,
        (true, true) => Agreement::Filled,
        (true, false) => return None,
    };
    let side = |(text, sources): Answer| Side {
        sources: match text {
            Some(_) => sources.iter().map(Source::to_string).collect(),
            None => vec![],
        },
        text,
    };
    Some(Difference {
        kind,
        declaration: place.0.clone(),
        field: place.1.clone(),
        topic,
        left: side(left),
        right: side(right),
    })
}

/// The text of `span` on one line, without comments.
pub(crate) fn written(sources: &Sources, span: Span) -> String {
    let mut plain = String::new();
    for line in sources.text(span).lines() {
        let mut in_quotes = false;
        let end = line.find(|c: char| {
            in_quotes ^= c == '"';
            c == '#' && !in_quotes
        });
        plain.push_str(&line[..end.unwrap_or(line.len())]);
        plain.push(' ');
    }
    let words: Vec<&str> = plain.split_whitespace().collect();
    words.join(" ")
}

/// The differences as text, the two modules under their names.
pub fn text(differences: &[Difference], left: &str, right: &str) -> String {
    let width = left.len().max(right.len());
    let mut lines = vec![];
    for (kind, title) in titles(left, right) {
        let some: Vec<&Difference> = differences.iter().filter(|d| d.kind == kind).collect();
        if some.is_empty() {
            continue;
        }
        lines.push(format!("{}: {title}", some.len()));
        for difference in some {
            lines.push(String::new());
            lines.push(difference.what());
            match kind {
                Agreement::Differs => {
                    for (name, side) in [(left, &difference.left), (right, &difference.right)] {
                        lines.push(format!("  {name:width$}  {}", side.line()));
                    }
                }
                Agreement::Filled => lines.push(format!("  {}", difference.left.line())),
            }
        }
        lines.push(String::new());
    }
    if lines.is_empty() {
        return format!("`{left}` and `{right}` say the same\n");
    }
    lines.join("\n")
}

fn titles(left: &str, right: &str) -> [(Agreement, String); 2] {
    [
        (Agreement::Differs, format!("`{left}` and `{right}` differ")),
        (
            Agreement::Filled,
            "the paper does not say it, or not all of it; both say the same".to_owned(),
        ),
    ]
}

/// The differences as two Markdown tables, the two modules under their names.
pub fn markdown(differences: &[Difference], left: &str, right: &str) -> String {
    let mut text = String::new();
    for (kind, title) in titles(left, right) {
        let some: Vec<&Difference> = differences.iter().filter(|d| d.kind == kind).collect();
        if some.is_empty() {
            continue;
        }
        let heads = match kind {
            Agreement::Differs => vec!["what", left, right],
            Agreement::Filled => vec!["what", "both"],
        };
        let rule = vec!["---"; heads.len()];
        text += &format!("{}: {title}.\n\n", some.len());
        text += &format!("| {} |\n| {} |\n", heads.join(" | "), rule.join(" | "));
        for difference in some {
            let what = cell(&difference.what());
            text += &match kind {
                Agreement::Differs => {
                    let (l, r) = (
                        difference.cell(&difference.left),
                        difference.cell(&difference.right),
                    );
                    format!("| {what} | {l} | {r} |\n")
                }
                Agreement::Filled => {
                    format!("| {what} | {} |\n", difference.cell(&difference.left))
                }
            };
        }
        text.push('\n');
    }
    text
}

impl Difference {
    /// A side as a cell of a Markdown table; a value is marked as code.
    fn cell(&self, side: &Side) -> String {
        let Some(text) = &side.text else {
            return "-".to_owned();
        };
        let text = match self.topic {
            None => format!("`{}`", cell(text)),
            Some(_) => cell(text),
        };
        match side.sources.as_slice() {
            [] => text,
            sources => format!("{text} ({})", sources.join("; ")),
        }
    }
}

/// Text that does not end a cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

impl Side {
    fn line(&self) -> String {
        let text = self.text.as_deref().unwrap_or("-");
        match self.sources.as_slice() {
            [] => text.to_owned(),
            sources => format!("{text}   [{}]", sources.join(" | ")),
        }
    }
}
