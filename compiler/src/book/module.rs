//! The page of one module or file: what it says first, its declarations, and what it comes to.

use super::library::{Library, anchor};
use super::{Draw, code, experiment};
use crate::hir::{Pretrain, Program, Provenance};
use crate::{Profile, Resolver, written};
use grammar::ast::{Body, Decl, Item, Kind};
use grammar::diagnostic::{Diagnostic, Severity};
use grammar::docs::Doc;
use grammar::span::{Sources, Span};
use serde::Serialize;

/// The page.
#[derive(Serialize)]
pub(super) struct ModulePage {
    pub name: String,
    intro: Vec<String>,
    is_shipped: bool,
    /// What is to be said of it, drawn, with its code.
    messages: Vec<Message>,
    /// The same for what is said only if asked for.
    notes: Vec<Message>,
    contents: Vec<Link>,
    tables: Vec<experiment::TableView>,
    steps: Vec<experiment::Step>,
    /// What `steps` leaves out.
    more_steps: usize,
    sections: Vec<Section>,
}

#[derive(Serialize)]
struct Link {
    target: String,
    text: String,
    kind: String,
}

#[derive(Serialize)]
struct Message {
    code: String,
    is_warning: bool,
    text: String,
}

/// Declarations under one heading.
#[derive(Serialize)]
struct Section {
    title: String,
    items: Vec<ItemView>,
}

/// One declaration or assertion.
#[derive(Serialize)]
struct ItemView {
    /// Empty for an assertion.
    anchor: String,
    kind: String,
    name: String,
    title: Option<String>,
    line: u32,
    prose: Vec<String>,
    sources: Vec<String>,
    notes: Vec<NoteView>,
    code_html: String,
    /// What the name comes to, where the code does not say it.
    closed_html: Option<String>,
    fields: Vec<FieldView>,
}

#[derive(Serialize)]
struct NoteView {
    topic: String,
    text: String,
    sources: Vec<String>,
}

/// One closed field.
#[derive(Serialize)]
pub(super) struct FieldView {
    path: String,
    value_html: String,
    /// `paper.cc:104`, and where that leads.
    place: Option<(String, String)>,
    sources: Vec<String>,
}

/// The page of the module at `position`.
pub(super) fn page(
    library: &Library,
    position: usize,
    sources: &mut Sources,
    resolve: &Resolver<'_>,
    draw: &Draw<'_>,
) -> ModulePage {
    let module = &library.modules[position];
    let message = |one: &Diagnostic| Message {
        code: one.code.0.to_owned(),
        is_warning: one.severity == Severity::Warning,
        text: draw(sources, one),
    };
    // A module that is no experiment by itself, such as a profile, is not wrong for that.
    let told = module.program.iter().flat_map(|_| &module.found);
    let (notes, loud): (Vec<&Diagnostic>, Vec<&Diagnostic>) =
        told.partition(|one| module.is_shipped || one.is_quiet || one.severity == Severity::Note);
    let messages = loud.into_iter().map(&message).collect();
    let notes = notes.into_iter().map(&message).collect();
    let sections = sections(library, position, sources, resolve);
    let (tables, (steps, more_steps)) = match &module.program {
        Some(program) => (
            experiment::tables(library, position, program, sources),
            experiment::steps(program),
        ),
        None => (vec![], (vec![], 0)),
    };
    let of_sections = sections.iter().flat_map(|section| &section.items);
    let contents = of_sections
        .filter(|item| !item.anchor.is_empty())
        .map(|item| Link {
            target: format!("#{}", item.anchor),
            text: item.name.clone(),
            kind: item.kind.clone(),
        })
        .collect();
    ModulePage {
        name: module.name.clone(),
        intro: intro(library, position),
        is_shipped: module.is_shipped,
        messages,
        notes,
        contents,
        tables,
        steps,
        more_steps,
        sections,
    }
}

/// The comment at the top of a file, as paragraphs.
pub(super) fn intro(library: &Library, position: usize) -> Vec<String> {
    let tree = library.tree(position);
    let first = tree.items.iter().map(span_of);
    let first = first.chain(tree.uses.iter().map(|used| used.span));
    let first = first.chain(tree.bare.iter().map(|bare| bare.span));
    let end = first.map(|span| span.start).min().unwrap_or(u32::MAX);
    let comments = tree.comments.iter().filter(|one| one.span.end <= end);
    let plain = comments.filter(|one| !one.value.starts_with('#') && heading(&one.value).is_none());
    paragraphs(plain.map(|one| one.value.as_str()))
}

/// Lines joined; an empty one, or one that is indented further, begins a paragraph.
fn paragraphs<'t>(lines: impl Iterator<Item = &'t str>) -> Vec<String> {
    let mut out: Vec<String> = vec![];
    let mut is_open = false;
    for line in lines {
        let text = line.trim();
        let is_code = line.starts_with("   ");
        match (text.is_empty(), out.last_mut()) {
            (true, _) => is_open = false,
            (false, Some(last)) if is_open && !is_code => {
                last.push(' ');
                last.push_str(text);
            }
            (false, _) => {
                let text = match is_code {
                    // Commands that stand beside each other.
                    true => {
                        let parts = text.split("   ").map(str::trim).filter(|p| !p.is_empty());
                        let parts = parts.map(|part| format!("`{}`", part.replace('`', "'")));
                        parts.collect::<Vec<_>>().join(" or ")
                    }
                    false => text.to_owned(),
                };
                out.push(text);
                is_open = !is_code;
            }
        }
    }
    out
}

/// `# ---- networks (Tables S5 to S8) ----` is a heading.
fn heading(comment: &str) -> Option<&str> {
    let text = comment.trim().strip_prefix("----")?;
    let text = text.trim_end_matches('-').trim();
    (!text.is_empty()).then_some(text)
}

fn span_of(item: &Item) -> Span {
    match item {
        Item::Decl(decl) => decl.span,
        Item::Assert(assert) => assert.span,
        Item::Allow(allow) => allow.span,
    }
}

fn sections(
    library: &Library,
    position: usize,
    sources: &mut Sources,
    resolve: &Resolver<'_>,
) -> Vec<Section> {
    let tree = library.tree(position);
    let file = library.modules[position].file;
    let mut sections = vec![Section {
        title: String::new(),
        items: vec![],
    }];
    if let Some(bare) = &tree.bare {
        let text = sources.text(bare.span).to_owned();
        let mut item = blank(sources, bare.span);
        item.kind = "loss".into();
        item.name = "the loss of `main`".into();
        item.anchor = anchor("main");
        item.code_html = code::html(library, position, &text, None);
        let program = library.modules[position].program.as_ref();
        item.fields = program
            .and_then(|program| fields_of(library, position, program, "main", sources))
            .unwrap_or_default();
        sections[0].items.push(item);
    }
    let mut before = 0;
    for item in &tree.items {
        let span = span_of(item);
        let between = tree
            .comments
            .iter()
            .filter(|one| one.span.start >= before && one.span.end <= span.start);
        for title in between.filter_map(|one| heading(&one.value)) {
            sections.push(Section {
                title: title.to_owned(),
                items: vec![],
            });
        }
        before = span.end;
        let mut view = blank(sources, span);
        let text = sources.get(file).text[span.start as usize..span.end as usize].to_owned();
        if let Some(doc) = tree.docs.get(&span) {
            set_doc(&mut view, doc);
        }
        match item {
            Item::Assert(_) | Item::Allow(_) => {
                view.kind = match item {
                    Item::Allow(_) => "allow".into(),
                    Item::Assert(_) | Item::Decl(_) => "assert".into(),
                };
                view.code_html = code::html(library, position, &text, None);
            }
            Item::Decl(decl) => {
                view.anchor = anchor(&decl.name.value);
                view.kind = decl.kind.value.word().into();
                view.name = decl.name.value.clone();
                view.title = decl.title.as_ref().map(|title| title.value.clone());
                view.code_html = code::html(library, position, &text, Some(decl.kind.value));
                close(library, position, decl, &mut view, sources, resolve);
            }
        }
        if let Some(section) = sections.last_mut() {
            section.items.push(view);
        }
    }
    sections.retain(|section| !section.items.is_empty());
    sections
}

fn blank(sources: &Sources, span: Span) -> ItemView {
    let (line, _) = sources.line_column(span.file, span.start);
    ItemView {
        anchor: String::new(),
        kind: String::new(),
        name: String::new(),
        title: None,
        line,
        prose: vec![],
        sources: vec![],
        notes: vec![],
        code_html: String::new(),
        closed_html: None,
        fields: vec![],
    }
}

fn set_doc(view: &mut ItemView, doc: &Doc) {
    view.prose = paragraphs(doc.lines.iter().map(|line| line.value.as_str()));
    view.sources = doc.sources.iter().map(|s| s.value.to_string()).collect();
    view.notes = doc
        .notes
        .iter()
        .map(|note| NoteView {
            topic: note.value.topic.clone(),
            text: note.value.text.clone(),
            sources: note.value.sources.iter().map(ToString::to_string).collect(),
        })
        .collect();
}

/// Fills in what a declaration comes to.
fn close(
    library: &Library,
    position: usize,
    decl: &Decl,
    view: &mut ItemView,
    sources: &mut Sources,
    resolve: &Resolver<'_>,
) {
    let name = decl.name.value.as_str();
    let program = library.modules[position].program.as_ref();
    match decl.kind.value {
        Kind::Pretrain => {
            let fields = program.and_then(|p| fields_of(library, position, p, name, sources));
            view.fields = fields.unwrap_or_default();
        }
        Kind::Eval => {
            let closed = Probe::new(library, position, sources, resolve).eval(name);
            view.fields = closed
                .unwrap_or_default()
                .into_iter()
                .filter(|(path, _)| path != "data")
                .map(|(path, text)| plain_field(library, position, path, &text))
                .collect();
        }
        Kind::Loss if decl.params.is_empty() => {
            let closed = Probe::new(library, position, sources, resolve).field("loss", name);
            set_closed(library, position, decl, closed, view, sources);
        }
        Kind::Augment => {
            let closed = Probe::new(library, position, sources, resolve).augment(name);
            set_closed(library, position, decl, closed, view, sources);
        }
        Kind::Layers => {
            let mut probe = Probe::new(library, position, sources, resolve);
            let closed = probe.layers(name);
            set_closed(library, position, decl, closed, view, sources);
        }
        Kind::Relaxation => {
            let closed = Probe::new(library, position, sources, resolve).field("relax", name);
            set_closed(library, position, decl, closed, view, sources);
        }
        Kind::Modality | Kind::Data | Kind::Loss | Kind::Let | Kind::Table | Kind::Figure => {}
    }
}

/// Shows `closed` unless the declaration says it in the same words.
fn set_closed(
    library: &Library,
    position: usize,
    decl: &Decl,
    closed: Option<String>,
    view: &mut ItemView,
    sources: &Sources,
) {
    let Body::Expr(value) = &decl.body else {
        return;
    };
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    let written = squeezed(sources.text(value.span));
    let closed = closed.map(|closed| match closed.strip_prefix("consistent(") {
        Some(inside) if !written.contains("consistent(") => {
            inside.strip_suffix(')').unwrap_or(inside).to_owned()
        }
        _ => closed,
    });
    let closed = closed.filter(|closed| squeezed(closed) != written);
    view.closed_html = closed.map(|text| code::html(library, position, &text, None));
}

/// The closed fields of the pretraining `name` of a program.
fn fields_of(
    library: &Library,
    position: usize,
    program: &Program,
    name: &str,
    sources: &Sources,
) -> Option<Vec<FieldView>> {
    let declared = program.pretrains.iter().find(|p| p.name == name)?;
    Some(fields(
        library,
        position,
        &declared.pretrain,
        &declared.provenance,
        sources,
    ))
}

/// The closed fields of a pretraining, each with where it was set and who says so.
pub(super) fn fields(
    library: &Library,
    position: usize,
    pretrain: &Pretrain,
    provenance: &Provenance,
    sources: &Sources,
) -> Vec<FieldView> {
    let closed = written::pretrain(pretrain).into_iter();
    // The weights that count stand in the loss.
    let closed = closed.filter(|(path, _)| path != "weights");
    closed
        .map(|(path, text)| {
            let mut view = plain_field(library, position, path, &text);
            let Some(span) = set_at(provenance, &view.path) else {
                return view;
            };
            let (line, _) = sources.line_column(span.file, span.start);
            let name = &sources.get(span.file).name;
            let page = library.named(name).map_or("", |module| &module.page);
            view.place = Some((format!("{name}:{line}"), page.to_owned()));
            let doc = library
                .tree_of(span.file)
                .and_then(|tree| tree.docs.get(&span));
            view.sources = doc.map_or_else(Vec::new, |doc| {
                doc.sources.iter().map(|s| s.value.to_string()).collect()
            });
            view
        })
        .collect()
}

fn plain_field(library: &Library, position: usize, path: String, text: &str) -> FieldView {
    FieldView {
        value_html: code::html(library, position, text, None),
        path,
        place: None,
        sources: vec![],
    }
}

/// The last place that set the value at `path`, or the same for all modalities.
fn set_at(provenance: &Provenance, path: &str) -> Option<Span> {
    let shared = path.split_once('.').map(|(_, rest)| rest);
    [Some(path), shared]
        .into_iter()
        .flatten()
        .find_map(|path| provenance.get(path)?.last().copied())
}

/// Asks what a name of a module comes to, by a small file that uses it.
struct Probe<'a> {
    library: &'a Library,
    position: usize,
    sources: &'a mut Sources,
    resolve: &'a Resolver<'a>,
}

impl<'a> Probe<'a> {
    fn new(
        library: &'a Library,
        position: usize,
        sources: &'a mut Sources,
        resolve: &'a Resolver<'a>,
    ) -> Self {
        Probe {
            library,
            position,
            sources,
            resolve,
        }
    }

    /// The program of the module's own declarations with `more` behind them. Its tables, which may be long, are left out.
    fn program(&mut self, more: &str) -> Option<Program> {
        let module = &self.library.modules[self.position];
        let source = self.sources.get(module.file);
        let name = source.name.clone();
        let mut text = String::new();
        let mut end = 0;
        for item in &self.library.tree(self.position).items {
            let is_left_out = match item {
                Item::Decl(decl) => matches!(decl.kind.value, Kind::Table | Kind::Figure),
                Item::Assert(_) | Item::Allow(_) => true,
            };
            let span = span_of(item);
            if is_left_out {
                text += &source.text[end..span.start as usize];
                end = span.end as usize;
            }
        }
        text += &format!("{}\n{more}\n", &source.text[end..]);
        // A copy: what a probe reads is no part of the book.
        let mut sources = self.sources.clone();
        let file = sources.add(name, text);
        crate::check(&mut sources, file, self.resolve, Profile::Full).0
    }

    /// The pretrainings that a probe may start from.
    fn bases(&self) -> Vec<&'a str> {
        self.library.visible(self.position, Kind::Pretrain)
    }

    /// The text of `path` where it is set to `name`.
    fn field(&mut self, path: &str, name: &str) -> Option<String> {
        let base = self.bases().first().copied()?;
        let probe = format!("pretrain probe_ = {base} with {{ {path} = {name} }}");
        let program = self.program(&probe)?;
        let probed = program.pretrains.iter().find(|p| p.name == "probe_")?;
        let mut fields = written::pretrain(&probed.pretrain).into_iter();
        fields
            .find(|(known, _)| known == path)
            .map(|(_, text)| text)
    }

    fn of_modalities(&mut self, fields: &[&str], name: &str) -> Option<String> {
        let modalities = self.library.visible(self.position, Kind::Modality);
        let paths: Vec<String> = fields
            .iter()
            .flat_map(|field| modalities.iter().map(move |m| format!("{m}.{field}")))
            .collect();
        paths.iter().find_map(|path| self.field(path, name))
    }

    fn augment(&mut self, name: &str) -> Option<String> {
        self.of_modalities(&["augment"], name)
    }

    fn layers(&mut self, name: &str) -> Option<String> {
        self.of_modalities(&["h", "f"], name)
    }

    /// The fields of an evaluation, on any data set that it fits.
    fn eval(&mut self, name: &str) -> Option<Vec<(String, String)>> {
        let base = self.bases().first().copied()?;
        let data = self.library.visible(self.position, Kind::Data);
        data.iter().find_map(|data| {
            let probe = format!("table probe_ {{ of = {base} scores = [{name} on {data}] row }}");
            let program = self.program(&probe)?;
            let table = program.tables.iter().find(|t| t.name == "probe_")?;
            let (_, protocol) = table.scores.first()?;
            Some(written::protocol(protocol))
        })
    }
}
