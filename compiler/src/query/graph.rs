//! Which declaration is made of which, by the values that count.

use super::answer::{self, Item};
use crate::check::load::Module;
use crate::check::names::{named_in, named_in_decl};
use crate::check::{nearest, suggest};
use crate::codes;
use crate::hir::{Program, Row, Table};
use grammar::ast::{Arg, BlockItem, Body, Decl, Expr, ExprKind, Item as TreeItem, Kind};
use grammar::diagnostic::Diagnostic;
use grammar::query::Target;
use grammar::span::{Sources, Span};
use std::collections::{BTreeMap, BTreeSet};

/// A declaration: the file, as messages name it, and the name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Node {
    pub file: String,
    pub name: String,
}

/// A row: the positions of its file, of its table in the file and of the row in the table.
pub(super) type At = (usize, usize, usize);

/// What a row is made of.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    /// By its pretraining.
    pub training: BTreeSet<Node>,
    /// By what is scored and drawn.
    pub scoring: BTreeSet<Node>,
}

impl Parts {
    /// All of it.
    pub fn all(&self) -> impl Iterator<Item = Node> + use<'_> {
        self.training.iter().chain(&self.scoring).cloned()
    }
}

/// What a name of a question means.
pub(super) enum Meant {
    /// Rows: of a table, of all tables of a file, or one.
    Rows(BTreeSet<At>),
    /// Declarations of this name, of which several files may have one each.
    Declarations(BTreeSet<Node>),
}

/// All declarations in reach of some files.
pub(super) struct Graph {
    declared: BTreeMap<Node, (Kind, Span)>,
    made_of: BTreeMap<Node, Made>,
    pub rows: BTreeMap<At, Parts>,
    /// Whether each table is one or a figure.
    pub kinds: BTreeMap<(usize, usize), Kind>,
}

/// What a declaration is made of.
#[derive(Debug, Default)]
struct Made {
    /// What its values name.
    values: BTreeSet<Node>,
    /// The records that it copies.
    bases: BTreeSet<Node>,
}

/// One file with what its names mean.
struct Scope<'m> {
    names: Vec<BTreeMap<&'m str, (usize, &'m Decl)>>,
    files: Vec<String>,
}

impl<'m> Scope<'m> {
    fn of(sources: &Sources, modules: &'m [Module]) -> Self {
        let mut names = vec![];
        for (at, module) in modules.iter().enumerate() {
            let mut known = BTreeMap::new();
            for owner in [at].iter().chain(&module.uses) {
                for decl in decls(&modules[*owner]) {
                    known
                        .entry(decl.name.value.as_str())
                        .or_insert((*owner, decl));
                }
            }
            names.push(known);
        }
        let files = modules
            .iter()
            .map(|m| sources.get(m.file).name.clone())
            .collect();
        Scope { names, files }
    }

    fn node(&self, module: usize, decl: &Decl) -> Node {
        Node {
            file: self.files[module].clone(),
            name: decl.name.value.clone(),
        }
    }

    /// The declarations that names of a module mean.
    fn nodes(&self, module: usize, names: Vec<&str>) -> BTreeSet<Node> {
        let known = names
            .into_iter()
            .filter_map(|name| self.names[module].get(name));
        known.map(|(owner, decl)| self.node(*owner, decl)).collect()
    }

    /// The module that a place stands in. A module of the user's is read once for each file that uses it, under one name.
    fn module_of(&self, sources: &Sources, span: Span) -> Option<usize> {
        let name = &sources.get(span.file).name;
        self.files.iter().position(|file| file == name)
    }

    /// What a declaration is made of: for a record the records that it copies and the values of the fields that count.
    fn made_of(&self, module: usize, decl: &'m Decl) -> Made {
        if !matches!(decl.kind.value, Kind::Pretrain | Kind::Eval) {
            let values = match (decl.kind.value, &decl.body) {
                (Kind::Data, Body::Expr(expr)) => self.nodes(module, named_in_data(expr)),
                _ => self.nodes(module, named_in_decl(decl)),
            };
            return Made {
                values,
                bases: BTreeSet::new(),
            };
        }
        let (mut fields, mut bases) = (BTreeMap::new(), BTreeSet::new());
        self.fields(module, &decl.body, &mut fields, &mut bases, 0);
        let values = fields.into_values();
        let named = values.map(|(owner, value)| self.nodes(owner, named_in(value)));
        Made {
            values: named.flatten().collect(),
            bases,
        }
    }

    /// The fields of a record that count, each with the module in which it is written, and the records that it copies.
    fn fields(
        &self,
        module: usize,
        body: &'m Body,
        fields: &mut BTreeMap<String, (usize, &'m Expr)>,
        bases: &mut BTreeSet<Node>,
        depth: usize,
    ) {
        match body {
            Body::Block(block) => self.set(module, &block.items, fields),
            Body::Expr(expr) => self.fields_of(module, expr, fields, bases, depth),
        }
    }

    fn fields_of(
        &self,
        module: usize,
        expr: &'m Expr,
        fields: &mut BTreeMap<String, (usize, &'m Expr)>,
        bases: &mut BTreeSet<Node>,
        depth: usize,
    ) {
        if let ExprKind::With(base, block) = &expr.kind {
            self.fields_of(module, base, fields, bases, depth);
            self.set(module, &block.items, fields);
        }
        if let ExprKind::On(base, data) = &expr.kind {
            self.fields_of(module, base, fields, bases, depth);
            fields.insert("data".to_owned(), (module, data));
        }
        let ExprKind::Name(name) = &expr.kind else {
            return;
        };
        // Files with rings have errors and are not asked about; the bound is for them all the same.
        let known = self.names[module].get(name.as_str());
        if let Some((owner, decl)) = known.filter(|_| depth < 200) {
            bases.insert(self.node(*owner, decl));
            self.fields(*owner, &decl.body, fields, bases, depth + 1);
        }
    }

    fn set(
        &self,
        module: usize,
        items: &'m [BlockItem],
        fields: &mut BTreeMap<String, (usize, &'m Expr)>,
    ) {
        for item in items {
            if let BlockItem::Field(field) = item {
                fields.insert(field.path.to_string(), (module, &field.value));
            }
        }
    }

    /// What a row is made of, the value that counts of each field found by the place that set it; and what its table scores.
    fn row(
        &self,
        sources: &Sources,
        row: &Row,
        scored: &[&'m Expr],
        known: &mut BTreeMap<Span, BTreeSet<Node>>,
    ) -> (Made, BTreeSet<Node>) {
        let mut made = Made::default();
        // The text of `of` is an expression of the root file.
        let mut texts = Sources::default();
        let file = texts.add("of", row.of.clone());
        let base = grammar::expression(&texts, Span::new(file, 0, row.of.len()));
        for name in base.iter().flat_map(named_in) {
            if let Some((owner, decl)) = self.names[0].get(name) {
                made.bases.insert(self.node(*owner, decl));
                let mut fields = BTreeMap::new();
                self.fields(*owner, &decl.body, &mut fields, &mut made.bases, 0);
            }
        }
        for place in row.provenance.values().filter_map(|places| places.last()) {
            // Most rows of a table have most values from one place.
            let named = known.entry(*place).or_insert_with(|| {
                let expr = grammar::expression(sources, value_at(sources, *place));
                let module = self.module_of(sources, *place);
                let names = |module| self.nodes(module, expr.iter().flat_map(named_in).collect());
                module.map(names).unwrap_or_default()
            });
            made.values.extend(named.iter().cloned());
        }
        let named = scored.iter().map(|expr| self.nodes(0, named_in(expr)));
        (made, named.flatten().collect())
    }
}

/// The names in a data set, without that of the set of which it says to be a part: nothing of that is read.
fn named_in_data(expr: &Expr) -> Vec<&str> {
    let ExprKind::Call(_, args) = &expr.kind else {
        return named_in(expr);
    };
    let is_claim = |arg: &&Arg| {
        arg.name
            .as_ref()
            .is_some_and(|name| name.value == "part_of")
    };
    let read = args.iter().filter(|arg| !is_claim(arg));
    read.flat_map(|arg| named_in(&arg.value)).collect()
}

/// The value that a place sets: behind the sign of `path = value`, or all of it, as a turn of `for` does.
fn value_at(sources: &Sources, place: Span) -> Span {
    let text = sources.text(place);
    let is_path = |before: &str| {
        before
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._ \t\r\n".contains(c))
    };
    let sign = text.find('=').filter(|at| is_path(&text[..*at]));
    let skipped = sign.map_or(0, |at| at as u32 + 1);
    Span {
        start: place.start + skipped,
        ..place
    }
}

/// The name of a file without folders and suffix.
fn stem(path: &str) -> Option<&str> {
    path.rsplit(['/', '\\']).next()?.strip_suffix(".cc")
}

fn decls(module: &Module) -> impl Iterator<Item = &Decl> {
    module.tree.items.iter().filter_map(|item| match item {
        TreeItem::Decl(decl) => Some(decl),
        TreeItem::Assert(_) | TreeItem::Allow(_) => None,
    })
}

/// What a table scores and draws, as written.
fn scored<'m>(modules: &'m [Module], table: &Table) -> Vec<&'m Expr> {
    let decl = decls(&modules[0]).find(|decl| decl.name.span == table.span);
    let Some(Body::Block(block)) = decl.map(|decl| &decl.body) else {
        return vec![];
    };
    let is_read = |path: String| matches!(path.as_str(), "scores" | "draw");
    block
        .fields()
        .filter(|field| is_read(field.path.to_string()))
        .map(|field| &field.value)
        .collect()
}

impl Graph {
    /// The declarations in reach of these programs, whose files were read into `modules`.
    pub fn of(sources: &Sources, modules: &[Vec<Module>], programs: &[(String, Program)]) -> Graph {
        let mut graph = Graph {
            declared: BTreeMap::new(),
            made_of: BTreeMap::new(),
            rows: BTreeMap::new(),
            kinds: BTreeMap::new(),
        };
        for (file, (modules, (_, program))) in modules.iter().zip(programs).enumerate() {
            let scope = Scope::of(sources, modules);
            for (at, module) in modules.iter().enumerate() {
                for decl in decls(module) {
                    if matches!(decl.kind.value, Kind::Table | Kind::Figure) {
                        continue;
                    }
                    let node = scope.node(at, decl);
                    if graph.made_of.contains_key(&node) {
                        continue;
                    }
                    graph
                        .declared
                        .insert(node.clone(), (decl.kind.value, decl.name.span));
                    graph.made_of.insert(node, scope.made_of(at, decl));
                }
            }
            let mut known = BTreeMap::new();
            for (number, table) in program.tables.iter().enumerate() {
                let decl = decls(&modules[0]).find(|decl| decl.name.span == table.span);
                let kind = decl.map_or(Kind::Table, |decl| decl.kind.value);
                // A file without tables has one for its pretrainings.
                let is_own = matches!(kind, Kind::Table | Kind::Figure);
                let kind = if is_own { kind } else { Kind::Table };
                graph.kinds.insert((file, number), kind);
                let scored = scored(modules, table);
                for (row, closed) in table.rows.iter().enumerate() {
                    let (made, scored) = scope.row(sources, closed, &scored, &mut known);
                    let mut training = graph.below(made.values);
                    training.extend(made.bases);
                    let parts = Parts {
                        training,
                        scoring: graph.below(scored),
                    };
                    graph.rows.insert((file, number, row), parts);
                }
            }
        }
        graph
    }

    /// These declarations and all below them. Of a record that another one copies nothing is followed: the values that count were
    /// found where they stand.
    pub fn below(&self, from: impl IntoIterator<Item = Node>) -> BTreeSet<Node> {
        let (mut seen, mut followed) = (BTreeSet::new(), BTreeSet::new());
        let mut next: Vec<Node> = from.into_iter().collect();
        while let Some(node) = next.pop() {
            if let Some(made) = self
                .made_of
                .get(&node)
                .filter(|_| followed.insert(node.clone()))
            {
                next.extend(made.values.iter().cloned());
                seen.extend(made.bases.iter().cloned());
            }
            seen.insert(node);
        }
        seen
    }

    /// All declarations above these.
    pub fn above(&self, nodes: &BTreeSet<Node>) -> BTreeSet<Node> {
        let is_above = |node: &&Node| {
            let below = self.below([(*node).clone()]);
            !nodes.contains(*node) && nodes.iter().any(|wanted| below.contains(wanted))
        };
        self.made_of.keys().filter(is_above).cloned().collect()
    }

    /// Declarations by kind, in the order of the kinds, then by file and name.
    pub fn items(&self, sources: &Sources, nodes: &BTreeSet<Node>) -> Vec<Item> {
        let mut items = vec![];
        for kind in Kind::ALL {
            for node in nodes {
                let Some((own, span)) = self.declared.get(node).filter(|(own, _)| *own == kind)
                else {
                    continue;
                };
                items.push(Item {
                    kind: own.word(),
                    name: node.name.clone(),
                    place: answer::place(sources, *span),
                    id: None,
                    note: None,
                });
            }
        }
        items
    }

    /// What a name of a question means: a table, a row, a file by its name, or a declaration.
    pub fn find(
        &self,
        programs: &[(String, Program)],
        target: &Target,
    ) -> Result<Meant, Box<Diagnostic>> {
        let name = target.name.value.as_str();
        let mut rows = BTreeSet::new();
        let mut tables: Vec<&str> = vec![];
        for (file, (path, program)) in programs.iter().enumerate() {
            let own = stem(path);
            for (number, table) in program.tables.iter().enumerate() {
                tables.push(&table.name);
                if table.name == name || own == Some(name) && target.row.is_none() {
                    rows.extend((0..table.rows.len()).map(|row| (file, number, row)));
                }
            }
        }
        if let Some(row) = &target.row {
            let label = |at: &At| programs[at.0].1.tables[at.1].rows[at.2].label == row.value;
            let number = |at: &At| row.value.parse() == Ok(at.2 + 1);
            let mut meant: BTreeSet<At> = rows.iter().copied().filter(label).collect();
            if meant.is_empty() {
                meant = rows.iter().copied().filter(number).collect();
            }
            if meant.is_empty() && !rows.is_empty() {
                let message = format!("`{name}` has no row `{}`", row.value);
                let help = format!(
                    "name one by its number, from 1 to {}, or by its label",
                    rows.len()
                );
                return Err(Box::new(
                    Diagnostic::error(codes::UNKNOWN_NAME, row.span, message).help(help),
                ));
            }
            if !meant.is_empty() {
                return Ok(Meant::Rows(meant));
            }
        }
        if !rows.is_empty() {
            return Ok(Meant::Rows(rows));
        }
        let named = |node: &&Node| node.name == name;
        let mut nodes: BTreeSet<Node> = self.declared.keys().filter(named).cloned().collect();
        if nodes.is_empty() {
            // A module by its name: all that it declares.
            let is_of = |node: &&Node| stem(&node.file) == Some(name);
            nodes = self.declared.keys().filter(is_of).cloned().collect();
        }
        if !nodes.is_empty() && target.row.is_none() {
            return Ok(Meant::Declarations(nodes));
        }
        let known: Vec<&str> = tables
            .into_iter()
            .chain(self.declared.keys().map(|n| n.name.as_str()))
            .collect();
        let message = format!("no table, file or declaration named `{name}`");
        let mut diagnostic = Diagnostic::error(codes::UNKNOWN_NAME, target.name.span, message);
        if nearest(name, known.iter().copied()).is_empty() {
            let files: Vec<String> = programs
                .iter()
                .map(|(path, _)| format!("`{path}`"))
                .collect();
            diagnostic = diagnostic.note(format!("looked for in {}", files.join(", ")));
        }
        Err(Box::new(suggest(
            diagnostic,
            target.name.span,
            name,
            known.into_iter(),
        )))
    }
}
