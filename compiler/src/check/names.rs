//! Which name means which declaration: duplicates, rings, and names that nothing knows.

use super::{Checker, Env, MOST_EXPERIMENTS, Slot, Wanted};
use crate::catalog::{self, Family, Type};
use crate::codes;
use grammar::ast::{Binder, Block, BlockItem, Body, Decl, Expr, ExprKind, Kind};
use grammar::diagnostic::{Diagnostic, MOST_MESSAGES};
use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many parameters a function has at most, and how many lists a sum.
pub(super) const MOST_PARAMETERS: usize = 100;

/// A name inside an expression that no parameter, binder or `for` of the same declaration binds.
struct Mention<'a> {
    name: &'a str,
    expr: &'a Expr,
    role: Role,
}

/// What stands where a name is written.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    /// Any value.
    Value,
    /// It is called: `name(...)`.
    Called,
    /// A modality: `name[1]`.
    Modality,
    /// The number of a view: `v[name]`.
    View,
}

impl<'a> Checker<'a> {
    /// Fills the names that each module sees.
    pub(super) fn collect_names(&mut self) {
        for module in 0..self.modules.len() {
            let mut names: BTreeMap<&'a str, (usize, &'a Decl)> = BTreeMap::new();
            for used in &self.modules[module].uses {
                let mut both = None;
                for decl in self.decls(*used) {
                    let (owner, first) = *names.entry(&decl.name.value).or_insert((*used, decl));
                    if owner != *used && both.is_none() {
                        both = Some((decl, first));
                    }
                }
                if let Some((decl, first)) = both {
                    self.declared_by_both(module, *used, decl, first);
                }
            }
            let mut own: BTreeMap<&'a str, &'a Decl> = BTreeMap::new();
            for decl in self.decls(module) {
                let name = decl.name.value.as_str();
                let first = own
                    .get(name)
                    .copied()
                    .or_else(|| names.get(name).map(|(_, decl)| *decl));
                match first {
                    Some(first) => self.defined_twice(decl, first),
                    None => {
                        own.insert(name, decl);
                    }
                }
                names.entry(name).or_insert((module, decl));
                self.check_form(module, decl);
            }
            self.names.push(names);
            self.check_number(module);
        }
    }

    /// A file has no more experiments than anyone can run.
    fn check_number(&mut self, module: usize) {
        let is_experiment = |d: &&Decl| {
            matches!(
                d.kind.value,
                Kind::Pretrain | Kind::Eval | Kind::Table | Kind::Figure
            )
        };
        if let Some(decl) = self
            .decls(module)
            .filter(is_experiment)
            .nth(MOST_EXPERIMENTS)
        {
            let message =
                format!("a file declares at most {MOST_EXPERIMENTS} experiments, this is one more");
            let diagnostic = Diagnostic::error(codes::OUT_OF_RANGE, decl.name.span, message).help(
                "write those that differ in a value as rows: `for seed in range(1, 100) { row }`",
            );
            self.found.push(diagnostic);
            self.is_overfull = true;
        }
    }

    /// Two modules that one file uses declare the same name: which one is meant would depend on their order.
    fn declared_by_both(&mut self, module: usize, used: usize, decl: &'a Decl, first: &'a Decl) {
        let file = |decl: &Decl| self.sources.get(decl.name.span.file).name.clone();
        let line = self.modules[module].tree.uses.iter().find(|line| {
            let name = &line.module.value;
            file(decl) == *name
                || file(decl)
                    .trim_end_matches(".cc")
                    .ends_with(name.trim_end_matches(".cc"))
        });
        let message = format!(
            "`{}` is declared by `{}` and by `{}`",
            decl.name.value,
            file(first),
            file(decl)
        );
        let span = line.map_or(decl.name.span, |line| line.span);
        let mut diagnostic = Diagnostic::error(codes::DEFINED_TWICE, span, message);
        diagnostic = if self.modules[used].is_shipped {
            diagnostic
                .help("use one of the two; `crisscross diff paper released` prints how they differ")
        } else {
            diagnostic.help("use one of the two, or give one of the names another")
        };
        self.found.push(diagnostic);
    }

    fn defined_twice(&mut self, decl: &'a Decl, first: &'a Decl) {
        let name = &decl.name.value;
        let mut diagnostic = Diagnostic::error(
            codes::DEFINED_TWICE,
            decl.name.span,
            format!("`{name}` is defined twice"),
        )
        .label(first.name.span, "first here");
        let kind = decl.kind.value;
        let is_copied = first.kind.value == kind && matches!(kind, Kind::Pretrain | Kind::Eval);
        diagnostic = if is_copied {
            let word = kind.word();
            let new = if name == "mine" { "other" } else { "mine" };
            diagnostic.help(format!(
                "to change a field, copy it under a new name: `{word} {new} = {name} with {{ ... }}`"
            ))
        } else {
            diagnostic.help(format!("give this one another name, such as `my_{name}`"))
        };
        self.found.push(diagnostic);
    }

    /// Kinds with fields are blocks or changed copies; the others are expressions; only `let` and `loss` have parameters.
    fn check_form(&mut self, module: usize, decl: &'a Decl) {
        let kind = decl.kind.value;
        let name = &decl.name.value;
        let word = kind.word();
        let has_fields = !catalog::fields(kind).is_empty();
        let found = match &decl.body {
            Body::Block(block) if !has_fields => {
                let message = format!("{} is written with `=`", catalog::kind_noun(kind));
                Some(
                    Diagnostic::error(codes::EMPTY_BODY, block.span, message)
                        .help(format!("write `{word} {name} = ...`")),
                )
            }
            Body::Expr(expr) if matches!(kind, Kind::Table | Kind::Figure) => {
                let message = format!("{} is written as a block", catalog::kind_noun(kind));
                Some(
                    Diagnostic::error(codes::EMPTY_BODY, expr.span, message)
                        .help(format!("write `{word} {name} {{ ... }}`")),
                )
            }
            Body::Block(_) | Body::Expr(_) => None,
        };
        let params = match decl.params.first() {
            Some(first) if !matches!(kind, Kind::Let | Kind::Loss) => {
                let message = format!("{} takes no parameters", catalog::kind_noun(kind));
                Some(
                    Diagnostic::error(codes::EMPTY_BODY, first.span, message)
                        .help("only `let` and `loss` have parameters"),
                )
            }
            _ => None,
        };
        let many = decl.params.get(MOST_PARAMETERS).map(|param| {
            let message = format!("a function has at most {MOST_PARAMETERS} parameters");
            Diagnostic::error(codes::WRONG_ARGUMENTS, param.span, message)
        });
        let mut seen = BTreeSet::new();
        let twice = decl
            .params
            .iter()
            .find(|p| !seen.insert(p.value.as_str()))
            .map(|param| {
                Diagnostic::error(
                    codes::SET_TWICE,
                    param.span,
                    format!("the parameter `{}` stands twice", param.value),
                )
            });
        let found = found.into_iter().chain(params).chain(many).chain(twice);
        let found: Vec<Diagnostic> = found.collect();
        if !found.is_empty() {
            self.poisoned.insert((module, name));
        }
        self.found.extend(found);
    }

    /// Rings among declarations, and unknown names in functions and losses, which are otherwise read only where they are used.
    pub(super) fn find_rings_and_unknowns(&mut self) {
        for module in 0..self.modules.len() {
            if self.modules[module].is_shipped {
                continue;
            }
            let decls: Vec<&'a Decl> = self.decls(module).collect();
            let mentions: Vec<Vec<Mention<'a>>> = decls.iter().map(|decl| mentions(decl)).collect();
            self.find_rings(module, &decls, &mentions);
            for (decl, mentioned) in decls.iter().zip(&mentions) {
                if matches!(decl.kind.value, Kind::Let | Kind::Loss) {
                    self.find_unknowns(module, decl, mentioned);
                }
            }
        }
    }

    fn find_rings(&mut self, module: usize, decls: &[&'a Decl], mentions: &[Vec<Mention<'a>>]) {
        let position: BTreeMap<&str, usize> = decls
            .iter()
            .enumerate()
            .rev()
            .map(|(i, decl)| (decl.name.value.as_str(), i))
            .collect();
        let edges: Vec<Vec<usize>> = mentions
            .iter()
            .map(|mentioned| {
                let mut edges: Vec<usize> = mentioned
                    .iter()
                    .filter_map(|m| position.get(m.name).map(|i| (m, *i)))
                    .filter(|(m, i)| {
                        m.role != Role::Called
                            || matches!(decls[*i].kind.value, Kind::Let | Kind::Loss)
                    })
                    .map(|(_, i)| i)
                    .collect();
                edges.sort();
                edges.dedup();
                edges
            })
            .collect();
        // A second definition of a name that means the first one is that mistake alone.
        let is_first: Vec<bool> = decls
            .iter()
            .map(|own| {
                let declared = self.declared(module, &own.name.value);
                declared.is_some_and(|(_, decl)| std::ptr::eq(decl, *own))
            })
            .collect();
        let mut rings = Rings::new(&edges);
        let mut in_ring: BTreeSet<usize> = BTreeSet::new();
        let mut shown = 0;
        for start in rings.members() {
            if in_ring.contains(&start) || !is_first[start] {
                continue;
            }
            // What is past the last message that is shown is a mistake without one.
            let ring = match shown < MOST_MESSAGES {
                true => rings.through(start),
                false => Some(vec![start]),
            };
            let Some(ring) = ring else { continue };
            if shown < MOST_MESSAGES {
                self.found.push(ring_message(&ring, decls));
                shown += 1;
            }
            for member in &ring {
                self.poisoned.insert((module, &decls[*member].name.value));
            }
            in_ring.extend(ring);
        }
    }

    fn find_unknowns(&mut self, module: usize, decl: &'a Decl, mentioned: &[Mention<'a>]) {
        for mention in mentioned {
            let name = mention.name;
            let is_declared =
                self.declared(module, name).is_some() || self.is_poisoned(module, name);
            let slot = Slot::new(mention.expr, Env::of_module(module), &decl.name.value);
            match mention.role {
                Role::Modality if !is_declared => {
                    self.unknown_modality(&slot, name);
                    continue;
                }
                Role::View if !is_declared => {
                    self.unknown_view(&slot, name);
                    continue;
                }
                Role::Modality | Role::View | Role::Value | Role::Called => {}
            }
            let is_known = is_declared
                || catalog::any_operator(name).is_some()
                || matches!(
                    name,
                    "modalities" | "views" | "yes" | "no" | "each" | "clips" | "_"
                )
                || catalog::PRETRAIN.iter().any(|field| field.name == name)
                || is_word(name);
            if is_known {
                continue;
            }
            let wanted = Wanted {
                noun: "a value",
                kinds: if decl.kind.value == Kind::Loss {
                    &[Kind::Loss, Kind::Let]
                } else {
                    &[Kind::Let, Kind::Loss]
                },
                words: &["modalities", "views"],
                families: &[Family::Term, Family::Tensor, Family::Sum],
                example: None,
            };
            self.unknown(&slot, name, &wanted);
        }
    }
}

/// A word that some field or parameter takes.
fn is_word(name: &str) -> bool {
    let fields = catalog::PRETRAIN.iter().chain(catalog::EVAL);
    let parameters = catalog::operators().flat_map(|o| o.parameters);
    fields
        .chain(parameters)
        .any(|p| matches!(p.takes, Type::Word(words) if words.contains(&name)))
}

/// How many members of a ring are named.
const MOST_NAMED: usize = 8;

fn ring_message(ring: &[usize], decls: &[&Decl]) -> Diagnostic {
    let name = |i: &usize| format!("`{}`", decls[*i].name.value);
    let mut names: Vec<String> = ring.iter().take(MOST_NAMED).map(name).collect();
    if ring.len() > MOST_NAMED {
        names.push(format!("{} more", ring.len() - MOST_NAMED));
    }
    names.extend(ring.first().map(name));
    let mut diagnostic = Diagnostic::error(
        codes::RING,
        decls[ring[0]].name.span,
        format!("definitions form a ring: {}", names.join(", ")),
    );
    for member in ring.iter().take(MOST_NAMED).skip(1) {
        diagnostic = diagnostic.label(decls[*member].name.span, "part of the ring");
    }
    diagnostic.help("write one of them without the others")
}

/// The rings among declarations, which are numbers here: what each is made of are its edges.
struct Rings<'e> {
    edges: &'e [Vec<usize>],
    /// Declarations of one group lead to one another.
    group: Vec<usize>,
    /// For each declaration the search that came there last, and from where it came.
    came_from: Vec<(usize, usize)>,
}

impl<'e> Rings<'e> {
    fn new(edges: &'e [Vec<usize>]) -> Self {
        let mut graph = DiGraph::<(), (), usize>::with_capacity(edges.len(), edges.len());
        edges.iter().for_each(|_| {
            graph.add_node(());
        });
        for (from, to) in edges.iter().enumerate() {
            graph.extend_with_edges(to.iter().map(|to| (from, *to)));
        }
        let mut group = vec![0; edges.len()];
        for (number, members) in kosaraju_scc(&graph).iter().enumerate() {
            for member in members {
                group[member.index()] = number;
            }
        }
        Rings {
            edges,
            group,
            came_from: vec![(usize::MAX, 0); edges.len()],
        }
    }

    /// The declarations that lead back to themselves.
    fn members(&self) -> Vec<usize> {
        let leads_back = |&i: &usize| {
            let mut next = self.edges[i].iter();
            next.any(|&next| self.group[next] == self.group[i])
        };
        (0..self.edges.len()).filter(leads_back).collect()
    }

    /// The shortest way from a declaration back to itself.
    fn through(&mut self, start: usize) -> Option<Vec<usize>> {
        let mut queue = VecDeque::from([start]);
        while let Some(here) = queue.pop_front() {
            for &next in &self.edges[here] {
                if next == start {
                    let mut ring = vec![here];
                    let mut at = here;
                    while at != start {
                        at = self.came_from[at].1;
                        ring.push(at);
                    }
                    ring.reverse();
                    return Some(ring);
                }
                if self.came_from[next].0 != start && self.group[next] == self.group[start] {
                    self.came_from[next] = (start, here);
                    queue.push_back(next);
                }
            }
        }
        None
    }
}

/// The names in an expression that it does not bind itself.
pub(crate) fn named_in(expr: &Expr) -> Vec<&str> {
    let mut found = vec![];
    in_expr(expr, &mut Binders::default(), &mut found);
    found.into_iter().map(|mention| mention.name).collect()
}

/// The names in a declaration that it does not bind itself.
pub(crate) fn named_in_decl(decl: &Decl) -> Vec<&str> {
    mentions(decl)
        .into_iter()
        .map(|mention| mention.name)
        .collect()
}

fn names_of(binder: &Binder) -> impl Iterator<Item = &str> {
    let second = binder.second.iter().map(|(_, name)| name);
    [&binder.first]
        .into_iter()
        .chain(second)
        .map(|name| name.value.as_str())
}

/// The names that are bound where an expression stands, each with how often.
#[derive(Default)]
struct Binders<'a>(BTreeMap<&'a str, usize>);

impl<'a> Binders<'a> {
    fn open(&mut self, name: &'a str) {
        *self.0.entry(name).or_default() += 1;
    }

    fn close(&mut self, name: &str) {
        if let Some(count) = self.0.get_mut(name) {
            *count -= 1;
        }
    }

    fn holds(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|count| *count > 0)
    }
}

fn mentions(decl: &Decl) -> Vec<Mention<'_>> {
    let mut bound = Binders::default();
    decl.params.iter().for_each(|p| bound.open(&p.value));
    let mut found = vec![];
    match &decl.body {
        Body::Expr(expr) => in_expr(expr, &mut bound, &mut found),
        Body::Block(block) => in_block(&block.items, &mut bound, &mut found),
    }
    found
}

/// Does any expression of these items mention the name?
pub(super) fn is_mentioned(items: &[BlockItem], name: &str) -> bool {
    let mut found = vec![];
    in_block(items, &mut Binders::default(), &mut found);
    found.iter().any(|mention| mention.name == name)
}

fn in_block<'a>(items: &'a [BlockItem], bound: &mut Binders<'a>, found: &mut Vec<Mention<'a>>) {
    for item in items {
        match item {
            BlockItem::Field(field) => in_expr(&field.value, bound, found),
            BlockItem::Allow(_) => {}
            BlockItem::Row(row) => row
                .fields
                .iter()
                .for_each(|field| in_expr(&field.value, bound, found)),
            BlockItem::For(each) => {
                in_expr(&each.values, bound, found);
                let variables = || each.paths.iter().filter(|p| p.names.len() == 1);
                variables().for_each(|p| bound.open(&p.names[0].value));
                in_block(&each.body, bound, found);
                variables().for_each(|p| bound.close(&p.names[0].value));
            }
        }
    }
}

fn in_with<'a>(block: &'a Block, bound: &mut Binders<'a>, found: &mut Vec<Mention<'a>>) {
    in_block(&block.items, bound, found);
}

fn in_expr<'a>(expr: &'a Expr, bound: &mut Binders<'a>, found: &mut Vec<Mention<'a>>) {
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::Dims(..) | ExprKind::String(_) => {}
        ExprKind::Name(name) => {
            if !bound.holds(name) {
                found.push(Mention {
                    name,
                    expr,
                    role: Role::Value,
                });
            }
        }
        ExprKind::List(members) | ExprKind::Tuple(members) => {
            members.iter().for_each(|m| in_expr(m, bound, found))
        }
        ExprKind::Neg(inner) | ExprKind::Member(inner, _) => in_expr(inner, bound, found),
        ExprKind::Binary(_, a, b)
        | ExprKind::Compare(_, a, b)
        | ExprKind::Arrow(a, b)
        | ExprKind::On(a, b)
        | ExprKind::At(a, b) => {
            in_expr(a, bound, found);
            in_expr(b, bound, found);
        }
        ExprKind::Index(a, b) => {
            in_role(a, Role::Modality, bound, found);
            in_role(b, Role::View, bound, found);
        }
        ExprKind::With(base, block) => {
            in_expr(base, bound, found);
            in_with(block, bound, found);
        }
        ExprKind::Call(callee, args) => {
            in_role(callee, Role::Called, bound, found);
            args.iter()
                .for_each(|arg| in_expr(&arg.value, bound, found));
        }
        ExprKind::Comprehension(callee, comprehension) => {
            in_role(callee, Role::Called, bound, found);
            for binder in &comprehension.binders {
                in_expr(&binder.values, bound, found);
                names_of(binder).for_each(|name| bound.open(name));
            }
            in_expr(&comprehension.element, bound, found);
            for binder in &comprehension.binders {
                names_of(binder).for_each(|name| bound.close(name));
            }
        }
    }
}

/// The names in an expression that stands in this role if it is a name.
fn in_role<'a>(expr: &'a Expr, role: Role, bound: &mut Binders<'a>, found: &mut Vec<Mention<'a>>) {
    let ExprKind::Name(name) = &expr.kind else {
        return in_expr(expr, bound, found);
    };
    if !bound.holds(name) {
        found.push(Mention { name, expr, role });
    }
}
