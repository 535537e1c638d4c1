//! Where a value comes from: the places that set it, in order, who says so, and what its names stand for.
//!
//! This reads the texts again: a closed value has lost its names, and its provenance holds spans alone.

use grammar::ast::{Block, BlockItem, Body, Decl, Expr, ExprKind, Field, File, Item, Kind, Use};
use grammar::docs::{Doc, Source};
use grammar::span::{FileId, Sources, Span};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::check::{COMMAND_LINE, SHIPPED};
use crate::hir::Provenance;

/// One place that set a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file, as messages call it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
    /// What set it there: `crisscross`, `crisscross_k400 with`, `table1 row`, `table1 for`, `command line`.
    pub setter: String,
    /// The field as written there: `lr_b` may set `v.lr_b`.
    pub field: Option<String>,
    /// The value as written there.
    pub value: String,
    /// Who says it: `Table S10`, `code (warm-up)`.
    pub sources: Vec<String>,
    /// Readings beside it: `warm-up: none said; the first two epochs here`.
    pub notes: Vec<String>,
}

/// A declaration that a value names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Its kind: `augment`.
    pub kind: &'static str,
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// What it stands for, as written.
    pub value: String,
    /// All of it as written.
    #[serde(skip)]
    pub text: String,
    /// Who says it.
    pub sources: Vec<String>,
    /// Readings beside it.
    pub notes: Vec<String>,
}

/// All texts of a compilation, read.
pub struct Texts<'s> {
    sources: &'s Sources,
    files: BTreeMap<FileId, File>,
    /// The file whose names the command line sees.
    root: Option<FileId>,
}

/// A field found in a tree: what set it, itself, and what is said of the declaration around it.
struct Found<'t> {
    setter: String,
    field: Option<&'t Field>,
    value: Span,
    around: Option<&'t Doc>,
    own: Option<&'t Doc>,
}

impl<'s> Texts<'s> {
    /// Reads all of `sources`.
    pub fn read(sources: &'s Sources) -> Self {
        let files = sources
            .iter()
            .map(|(id, _)| (id, grammar::parse(sources, id).0));
        Texts {
            sources,
            files: files.collect(),
            root: None,
        }
    }

    /// The same, with names on the command line as those of `root`.
    pub fn beside(self, root: FileId) -> Self {
        let root = Some(root);
        Texts { root, ..self }
    }

    /// The places that set the value at `path`, the first one first; the last one counts. A field of one modality counts before
    /// the same field of all, wherever each stands.
    pub fn chain(&self, provenance: &Provenance, path: &str) -> Vec<(Span, Place)> {
        let spans = spans(provenance, path).into_iter();
        spans.map(|span| (span, self.place(span))).collect()
    }

    /// The place at `span`, which is a field, a value of a `for`, or `protocol on data`.
    pub fn place(&self, span: Span) -> Place {
        let source = self.sources.get(span.file);
        let (line, column) = self.sources.line_column(span.file, span.start);
        let found = self
            .files
            .get(&span.file)
            .and_then(|file| found(file, span));
        let Some(found) = found else {
            let (setter, field, value) = match self.typed(span) {
                Some(field) => {
                    let (path, value) = (field.path.to_string(), field.value.span);
                    (source.name.as_str(), Some(path), value)
                }
                None => ("the file", None, span),
            };
            return Place {
                file: source.name.clone(),
                line,
                column,
                setter: setter.to_owned(),
                field,
                value: self.text(value),
                sources: vec![],
                notes: vec![],
            };
        };
        let said = |doc: Option<&Doc>| -> Vec<String> { doc.map(sources_of).unwrap_or_default() };
        let own = said(found.own);
        Place {
            file: source.name.clone(),
            line,
            column,
            setter: found.setter,
            field: found.field.map(|field| field.path.to_string()),
            value: self.text(found.value),
            sources: if own.is_empty() {
                said(found.around)
            } else {
                own
            },
            notes: found.own.map(notes_of).unwrap_or_default(),
        }
    }

    /// The declarations that the text at `span` names, and those that they name in turn: a chain is made of augmentations, of
    /// which one may be a chain. Of losses the first step alone is said.
    pub fn names(&self, place: Span) -> Vec<Named> {
        let mut found: Vec<Named> = vec![];
        let mut seen = BTreeSet::new();
        let file = self.files.get(&place.file);
        let value = file
            .and_then(|file| found_value(file, place))
            .or_else(|| Some(self.typed(place)?.value.span))
            .unwrap_or(place);
        self.collect(value, &BTreeSet::new(), &mut seen, &mut found);
        found
    }

    fn collect(
        &self,
        text: Span,
        params: &BTreeSet<&str>,
        seen: &mut BTreeSet<(FileId, String)>,
        found: &mut Vec<Named>,
    ) {
        for word in words(self.sources.text(text)) {
            let Some((file, decl)) = self
                .decl(text.file, word)
                .filter(|_| !params.contains(word))
            else {
                continue;
            };
            let kind = decl.kind.value;
            let is_record = matches!(
                kind,
                Kind::Pretrain | Kind::Eval | Kind::Table | Kind::Figure
            );
            if is_record || !seen.insert((file, word.to_owned())) {
                continue;
            }
            let named = self.named(file, decl);
            found.push(named);
            if let (Body::Expr(body), false) = (&decl.body, kind == Kind::Loss) {
                let params = decl
                    .params
                    .iter()
                    .map(|param| param.value.as_str())
                    .collect();
                self.collect(body.span, &params, seen, found);
            }
        }
    }

    /// A declaration with who says it.
    pub fn named(&self, file: FileId, decl: &Decl) -> Named {
        let (line, _) = self.sources.line_column(file, decl.span.start);
        let doc = self
            .files
            .get(&file)
            .and_then(|tree| tree.docs.get(&decl.span));
        // From behind the name: parameters belong to the value.
        let rest = Span {
            start: decl.name.span.end,
            ..decl.span
        };
        let rest = self.text(rest);
        Named {
            name: decl.name.value.clone(),
            kind: decl.kind.value.word(),
            file: self.sources.get(file).name.clone(),
            line,
            value: rest.strip_prefix("= ").unwrap_or(&rest).to_owned(),
            text: self.text(decl.span),
            sources: doc.map(sources_of).unwrap_or_default(),
            notes: doc.map(notes_of).unwrap_or_default(),
        }
    }

    /// The declaration that `name` means in `file`: its own, or one of a module that it uses.
    pub fn decl(&self, file: FileId, name: &str) -> Option<(FileId, &Decl)> {
        let mut visible = self.visible(file);
        visible.find(|(_, decl)| decl.name.value == name)
    }

    /// The declarations that `file` sees: its own, then those of the modules that it uses, each with the file where it stands.
    pub fn visible(&self, file: FileId) -> impl Iterator<Item = (FileId, &Decl)> {
        let file = self.root.filter(|_| self.is_typed(file)).unwrap_or(file);
        let own = &self.sources.get(file).name;
        let tree = self.files.get(&file);
        // A bare loss uses the prelude without a word, and so does what is typed.
        let is_bare = tree.is_some_and(|tree| tree.bare.is_some()) || !own.ends_with(".cc");
        let used = tree.into_iter().flat_map(|tree| &tree.uses);
        let used = used.map(|used| self.used(own, used));
        let used = used.chain(is_bare.then(|| self.module("paper")));
        let used = used.flatten().filter(move |used| *used != file);
        std::iter::once(file)
            .chain(used)
            .flat_map(|file| self.declared(file).map(move |decl| (file, decl)))
    }

    /// The file of a module that a file called `user` uses: one that ships, or one beside it, as those who read files call it.
    fn used(&self, user: &str, used: &Use) -> Option<FileId> {
        let name = used.module.value.as_str();
        if !used.is_path && SHIPPED.iter().any(|(shipped, _)| *shipped == name) {
            return self.module(name);
        }
        let suffix = if used.is_path { "" } else { ".cc" };
        let beside = Path::new(user).parent()?.join(format!("{name}{suffix}"));
        let beside = beside.display().to_string();
        let mut files = self.sources.iter();
        let found = files.find(|(_, source)| source.name == beside);
        found.map(|(id, _)| id).or_else(|| self.module(name))
    }

    /// The file of a module that is used by this name or path.
    pub fn module(&self, name: &str) -> Option<FileId> {
        let is_shipped = SHIPPED.iter().any(|(shipped, _)| *shipped == name);
        let path = name
            .trim_end_matches(".cc")
            .trim_start_matches("./")
            .to_owned()
            + ".cc";
        let mut files = self.sources.iter();
        let found = files.find(|(_, source)| {
            source.name == path || !is_shipped && source.name.ends_with(&format!("/{path}"))
        });
        found.map(|(id, _)| id)
    }

    /// The declarations of a file by name.
    pub fn declared(&self, file: FileId) -> impl Iterator<Item = &Decl> {
        self.files.get(&file).into_iter().flat_map(decls)
    }

    /// The fields of a declaration that is a block or a copy with some changed, as they are written; for protocols, which need not
    /// close where no data set is named.
    pub fn fields(&self, file: FileId, decl: &Decl) -> Provenance {
        let mut places = Provenance::new();
        self.add_fields(file, decl, 0, &mut places);
        places
    }

    /// The fields of `places` as the place that counts has each, in the order in which they were set first.
    pub fn written(&self, places: &Provenance) -> Vec<(String, String)> {
        let mut paths: Vec<(&String, &Vec<Span>)> = places.iter().collect();
        paths.sort_by_key(|(_, spans)| spans.first().copied());
        let text = |span: &Span| self.place(*span).value;
        paths
            .into_iter()
            .filter_map(|(path, spans)| Some((path.clone(), text(spans.last()?))))
            .collect()
    }

    fn add_fields(&self, file: FileId, decl: &Decl, depth: usize, places: &mut Provenance) {
        // A copy of a copy; what goes deeper than this is a ring.
        if depth > 100 {
            return;
        }
        match &decl.body {
            Body::Block(block) => add_block(block, places),
            Body::Expr(expr) => self.add_expr(file, expr, depth, places),
        }
    }

    fn add_expr(&self, file: FileId, expr: &Expr, depth: usize, places: &mut Provenance) {
        #[allow(clippy::wildcard_enum_match_arm)] // what else an expression may be holds no fields
        match &expr.kind {
            ExprKind::With(base, block) => {
                self.add_expr(file, base, depth, places);
                add_block(block, places);
            }
            ExprKind::On(base, _) => {
                self.add_expr(file, base, depth, places);
                places.entry("data".to_owned()).or_default().push(expr.span);
            }
            ExprKind::Name(name) => {
                if let Some((file, decl)) = self.decl(file, name) {
                    self.add_fields(file, decl, depth + 1, places);
                }
            }
            _ => {}
        }
    }

    fn is_typed(&self, file: FileId) -> bool {
        self.sources.get(file).name == COMMAND_LINE
    }

    /// The field of the command line at `span`.
    fn typed(&self, span: Span) -> Option<Field> {
        self.is_typed(span.file)
            .then(|| grammar::field(self.sources, span).ok())?
    }

    /// The text of `span` on one line, without comments.
    fn text(&self, span: Span) -> String {
        crate::readings::written(self.sources, span)
    }
}

/// The spans that set the value at `path`, the one that counts last.
fn spans(provenance: &Provenance, path: &str) -> Vec<Span> {
    let of = |path: &str| provenance.get(path).into_iter().flatten().copied();
    let of_all = path.split_once('.').map(|(_, field)| field);
    let spans: Vec<Span> = of_all.into_iter().flat_map(of).chain(of(path)).collect();
    // What the command line sets for all modalities stands above each of them as well: once is enough, at its end.
    let is_last = |at: usize| !spans[at + 1..].contains(&spans[at]);
    (0..spans.len())
        .filter(|at| is_last(*at))
        .map(|at| spans[at])
        .collect()
}

/// The span that counts for the value at `path`.
pub fn winner(provenance: &Provenance, path: &str) -> Option<Span> {
    spans(provenance, path).pop()
}

fn add_block(block: &Block, places: &mut Provenance) {
    for item in &block.items {
        if let BlockItem::Field(field) = item {
            let path = field.path.to_string();
            places.entry(path).or_default().push(field.span);
        }
    }
}

fn decls(file: &File) -> impl Iterator<Item = &Decl> {
    file.items.iter().filter_map(|item| match item {
        Item::Decl(decl) => Some(decl),
        Item::Assert(_) | Item::Allow(_) => None,
    })
}

fn sources_of(doc: &Doc) -> Vec<String> {
    let sources = doc.sources.iter();
    sources
        .map(|source| Source::to_string(&source.value))
        .collect()
}

fn notes_of(doc: &Doc) -> Vec<String> {
    let notes = doc.notes.iter().map(|note| &note.value);
    notes
        .map(|note| {
            let sources: Vec<String> = note.sources.iter().map(Source::to_string).collect();
            let topic = if note.topic.is_empty() {
                String::new()
            } else {
                format!("{}: ", note.topic)
            };
            match sources.as_slice() {
                [] => format!("{topic}{}", note.text),
                _ => format!("{topic}{} [{}]", note.text, sources.join(" | ")),
            }
        })
        .collect()
}

/// The words of a text that may be names; `wd:` names an argument and `.x` a part.
fn words(text: &str) -> Vec<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut words = vec![];
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or("");
        let mut at = 0;
        while let Some(start) = line[at..].find(is_part).map(|found| at + found) {
            let end = line[start..]
                .find(|c| !is_part(c))
                .map_or(line.len(), |found| start + found);
            let word = &line[start..end];
            let is_name = !word.starts_with(|c: char| c.is_ascii_digit());
            let is_argument = line[end..].trim_start().starts_with(':');
            let is_member = line[..start].ends_with('.');
            if is_name && !is_argument && !is_member {
                words.push(word);
            }
            at = end;
        }
    }
    words
}

fn found_value(file: &File, span: Span) -> Option<Span> {
    found(file, span).map(|found| found.value)
}

/// What stands at `span`.
fn found(file: &File, span: Span) -> Option<Found<'_>> {
    let holds = |outer: Span| outer.start <= span.start && span.end <= outer.end;
    let decl = decls(file).find(|decl| holds(decl.span))?;
    let name = &decl.name.value;
    let mut found = match &decl.body {
        Body::Block(block) => in_block(file, block, span, name, name),
        Body::Expr(expr) => in_expr(file, expr, span, name),
    }?;
    found.around = file.docs.get(&decl.span);
    Some(found)
}

/// `setter` is what sets the fields of this block itself, `name` what the declaration is called.
fn in_block<'t>(
    file: &'t File,
    block: &'t Block,
    span: Span,
    setter: &str,
    name: &str,
) -> Option<Found<'t>> {
    block
        .items
        .iter()
        .find_map(|item| in_item(file, item, span, setter, name))
}

fn in_item<'t>(
    file: &'t File,
    item: &'t BlockItem,
    span: Span,
    setter: &str,
    name: &str,
) -> Option<Found<'t>> {
    match item {
        BlockItem::Field(field) => in_field(file, field, span, setter, name),
        BlockItem::Row(row) => {
            let setter = match &row.label {
                Some(label) => format!("{name} row \"{}\"", label.value),
                None => format!("{name} row"),
            };
            let fields = row.fields.iter();
            let mut found = fields
                .filter_map(|field| in_field(file, field, span, &setter, name))
                .next()?;
            found.own = found.own.or_else(|| file.docs.get(&row.span));
            Some(found)
        }
        BlockItem::For(sweep) => {
            let values = sweep.values.span;
            if values.start <= span.start && span.end <= values.end {
                return Some(Found {
                    setter: format!("{name} for"),
                    field: None,
                    value: span,
                    around: None,
                    own: None,
                });
            }
            sweep
                .body
                .iter()
                .find_map(|item| in_item(file, item, span, setter, name))
        }
        BlockItem::Allow(_) => None,
    }
}

fn in_field<'t>(
    file: &'t File,
    field: &'t Field,
    span: Span,
    setter: &str,
    name: &str,
) -> Option<Found<'t>> {
    if field.span == span {
        return Some(Found {
            setter: setter.to_owned(),
            field: Some(field),
            value: field.value.span,
            around: None,
            own: file.docs.get(&field.span),
        });
    }
    let is_inside = field.value.span.start <= span.start && span.end <= field.value.span.end;
    is_inside.then(|| in_expr(file, &field.value, span, name))?
}

fn in_expr<'t>(file: &'t File, expr: &'t Expr, span: Span, name: &str) -> Option<Found<'t>> {
    #[allow(clippy::wildcard_enum_match_arm)] // what else an expression may be holds no fields
    match &expr.kind {
        ExprKind::With(base, block) => in_expr(file, base, span, name)
            .or_else(|| in_block(file, block, span, &format!("{name} with"), name)),
        ExprKind::On(base, data) if expr.span == span => Some(Found {
            setter: format!("{name} on"),
            field: None,
            value: data.span,
            around: None,
            own: None,
        })
        .or_else(|| in_expr(file, base, span, name)),
        ExprKind::On(base, _) => in_expr(file, base, span, name),
        ExprKind::List(members) | ExprKind::Tuple(members) => members
            .iter()
            .find_map(|member| in_expr(file, member, span, name)),
        _ => None,
    }
}
