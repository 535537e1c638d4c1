//! Syntax tree to closed experiments, one file per subject. Every mistake in meaning is found here.
//!
//! Names are macros: an expression is read where a certain kind of value is wanted, and a name in it stands for the
//! expression of its declaration. So there is one function for each kind of value, and no untyped value between.

mod advice;
mod allow;
mod ask;
mod chains;
mod checkpoints;
mod claims;
mod collapse;
mod command_line;
mod copied;
mod drawings;
mod evals;
mod expand;
mod layers;
pub(crate) mod load;
mod loss;
mod media;
mod members;
mod messages;
pub(crate) mod names;
mod pretrain;
mod profile;
mod program;
mod record;
mod rows;
mod slips;
mod strides;
mod tables;
#[cfg(test)]
mod tests;
mod time;
mod train;
mod values;
mod windows;

use crate::Profile;
use crate::codes;
use crate::hir;
use crate::loss::{Part, Written};
use grammar::ast::{Arg, Decl, Expr, ExprKind, Item};
use grammar::diagnostic::{Diagnostic, MOST_MESSAGES, Severity, keep_first};
use grammar::query::Condition;
use grammar::span::{FileId, Sources, Span};
use load::Module;
use record::Record;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use expand::Call;
use messages::Wanted;
pub(crate) use messages::{nearest, suggest};

pub use command_line::{Above, COMMAND_LINE};
pub use load::{PAPER, RELEASED, Resolver, SHIPPED, TOY};
pub use messages::counted;

/// Checks the file `root` with all that it uses, and with what `set` sets above it. The program is there only if there is no
/// error.
pub(crate) fn check(
    sources: &mut Sources,
    root: FileId,
    resolve: &Resolver<'_>,
    profile: Profile,
    set: Option<Above>,
) -> (Option<hir::Program>, Vec<Diagnostic>) {
    let beside = (set, None);
    let (program, found, _) = check_asking(sources, root, resolve, profile, beside);
    (program, found)
}

/// What a condition came to.
#[derive(Default)]
pub(crate) struct Answers {
    /// By the place of a table's name and the position of a row in it, or by the place of a pretraining's name.
    pub by_place: BTreeMap<(Span, Option<usize>), bool>,
    /// Mistakes in the condition.
    pub mistakes: Vec<Diagnostic>,
}

/// [`check`], asking `condition` of each row and of each pretraining of the file.
pub(crate) fn check_asking(
    sources: &mut Sources,
    root: FileId,
    resolve: &Resolver<'_>,
    profile: Profile,
    (set, condition): (Option<Above>, Option<&Condition>),
) -> (Option<hir::Program>, Vec<Diagnostic>, Answers) {
    let mut found = vec![];
    let beside = set.map(|set| set.names).filter(|names| *names != root);
    let roots: Vec<FileId> = std::iter::once(root).chain(beside).collect();
    let modules = load::load(sources, &roots, resolve, &mut found);
    let tree = &modules[0].tree;
    if found.is_empty() && tree.uses.is_empty() && tree.items.is_empty() {
        let start = Span::new(root, 0, 0);
        found.push(
            Diagnostic::error(
                codes::NOTHING_TO_MINIMISE,
                start,
                "this file has nothing in it",
            )
            .help("write a loss, such as `intra + sync`, or `use paper` and declarations"),
        );
    }
    let caps = match profile {
        Profile::Full => None,
        Profile::Toy => Some(profile::caps(sources, &mut found)),
    };
    let fields = set.map_or(vec![], |set| {
        command_line::read(sources, set.fields, &mut found)
    });
    let mut checker = Checker::new(sources, &modules, caps, found);
    // The file whose names they see is the last of the roots.
    checker.take_up(&fields, roots.len() - 1);
    checker.question.condition = condition;
    checker.find_rings_and_unknowns();
    let mut program = checker.program();
    if let Some(program) = &mut program {
        checker.sets_nothing(program);
        program.set = command_line::written(sources, &fields);
    }
    let is_whole = checker.caps.is_none() && set.is_none();
    let found = allow::silence(&modules, sources, checker.found, is_whole);
    let found = settle(found, root, sources);
    let is_wrong = found.iter().any(|d| d.severity == Severity::Error);
    let answers = Answers {
        by_place: std::mem::take(&mut checker.question.answers),
        mistakes: checker.question.mistakes(),
    };
    (program.filter(|_| !is_wrong), found, answers)
}

/// A mistake of syntax, E01xx.
fn is_syntax(diagnostic: &Diagnostic) -> bool {
    diagnostic.code.0.starts_with("E01")
}

/// Each mistake once, those of the root file first, in the order of the text.
fn settle(mut found: Vec<Diagnostic>, root: FileId, sources: &Sources) -> Vec<Diagnostic> {
    // Which of its definitions a name means is open: that it does not fit follows from that.
    let is_twice = |d: &&Diagnostic| d.code == codes::DEFINED_TWICE;
    let twice = found.iter().filter(is_twice);
    let twice: BTreeSet<String> = twice
        .map(|d| sources.text(d.primary.span).to_owned())
        .collect();
    found.retain(|d| {
        d.code != codes::WRONG_KIND_OF_VALUE || !twice.contains(sources.text(d.primary.span))
    });
    let order = |d: &Diagnostic| {
        let span = d.primary.span;
        (span.file != root, span, d.severity, d.code)
    };
    found.sort_by_key(order);
    let mut seen = BTreeSet::new();
    found.retain(|d| seen.insert((d.code, d.primary.span)));
    // What is worth a note in a file that can run is no help in one that cannot.
    if found.iter().any(|d| d.severity == Severity::Error) {
        found.retain(|d| d.severity != Severity::Note);
    }
    let is_error = |d: &Diagnostic| d.severity == Severity::Error;
    if found.iter().filter(|d| is_error(d)).count() > MOST_MESSAGES {
        found.retain(is_error);
    }
    let (quiet, mut loud): (Vec<_>, Vec<_>) = found.into_iter().partition(|d| d.is_quiet);
    keep_first(&mut loud);
    let mut found = quiet;
    found.append(&mut loud);
    found.sort_by_key(order);
    let mut settled: Vec<Diagnostic> = vec![];
    for new in found {
        if !settled.iter_mut().any(|known| known.absorb(&new)) {
            settled.push(new);
        }
    }
    settled
}

/// Steps of expansion of one row or loss. The paper's largest takes a few thousand; functions that call functions twice each
/// would take more than any machine has.
const MOST_STEPS: u32 = 200_000;

/// Steps of expansion of all rows, losses and other declarations: ten thousand rows of the paper's kind take a third.
const MOST_STEPS_IN_ALL: u32 = 100_000_000;

/// How many experiments a file has at most: declared ones, tables and figures together, and rows of all tables together.
const MOST_EXPERIMENTS: usize = 10_000;

/// What is known while a file is checked.
pub(crate) struct Checker<'a> {
    /// All texts, for labels of rows as written.
    sources: &'a Sources,
    /// The root module and those it reaches.
    modules: &'a [Module],
    /// For each module the names it sees: its own and those of what it uses.
    names: Vec<BTreeMap<&'a str, (usize, &'a Decl)>>,
    /// Names that are mistakes already, by module.
    poisoned: BTreeSet<(usize, &'a str)>,
    /// Pretrainings and evaluations in which something is wrong, by module.
    wrong: BTreeSet<(usize, &'a str)>,
    /// Declarations that a failed assertion builds on.
    disputed: BTreeSet<(usize, &'a str)>,
    /// The bounds of `--toy`.
    caps: Option<profile::Caps>,
    /// What the command line sets, by path.
    above: BTreeMap<String, record::Entry<'a>>,
    /// What was found so far.
    found: Vec<Diagnostic>,
    /// How many names misspelt ones may still be compared with.
    to_compare: usize,
    /// Where mistakes of syntax are.
    broken: Vec<Span>,
    /// What is known of policies whose synchronous pairs lie apart.
    parted: BTreeMap<windows::Case, windows::Parted>,
    /// What the names of losses come to, for each kind of pretraining that they were read for.
    losses: loss::Known<'a>,
    /// What is wrong with a stated number of values by the paper's networks, by its place, and how many these give.
    misstated: BTreeMap<Span, (Diagnostic, Env<'a>, u64)>,
    /// Stated numbers of values that some row's own networks confirm or contradict.
    judged: BTreeSet<Span>,
    /// The data set of evaluations that name none, while an assertion compares two of them.
    stand_in: Option<hir::Data>,
    /// What is asked of the rows, by a query alone.
    question: ask::Question<'a>,
    /// Parts of the loss that is being read, as written.
    parts: Vec<Part>,
    /// Where its parts are written, while that is asked.
    places: Option<loss::Places>,
    /// The objective that was closed last, as written.
    objective: Written,
    /// Steps left before an experiment counts as too large to expand.
    budget: u32,
    /// Steps left for those that come after it.
    steps_left: u32,
    /// A file has more experiments than it may, and that is reported: none of them is closed.
    is_overfull: bool,
    /// How many more rows the tables may have.
    rows_left: usize,
    /// One was too large, and that is reported: nothing is expanded any more.
    is_exhausted: bool,
    /// The record that a misspelt name may mean is being read.
    is_guessing: bool,
}

/// Where an expression is read: what its names mean, and how one came there.
#[derive(Clone)]
pub(crate) struct Env<'a> {
    module: usize,
    scope: Option<Rc<Scope<'a>>>,
    record: Option<Rc<Record<'a>>>,
    via: Option<Rc<Via>>,
}

/// A name bound by a parameter or by `for`.
struct Scope<'a> {
    name: &'a str,
    bound: Bound<'a>,
    outer: Option<Rc<Scope<'a>>>,
}

/// What a bound name stands for.
#[derive(Clone)]
enum Bound<'a> {
    /// An expression, read where it was written.
    Expr(&'a Expr, Env<'a>),
    /// A value inside a loss.
    Loss(loss::Value<'a>),
    /// The argument of a function that nothing calls: whatever it is, nothing is said about it.
    Unknown,
}

/// The uses that led to an expression, the last one first.
struct Via {
    span: Span,
    outer: Option<Rc<Via>>,
}

impl<'a> Env<'a> {
    fn of_module(module: usize) -> Self {
        Env {
            module,
            scope: None,
            record: None,
            via: None,
        }
    }

    fn bind(&self, name: &'a str, bound: Bound<'a>) -> Self {
        Env {
            scope: Some(Rc::new(Scope {
                name,
                bound,
                outer: self.scope.clone(),
            })),
            ..self.clone()
        }
    }

    fn used_at(&self, span: Span) -> Self {
        Env {
            via: Some(Rc::new(Via {
                span,
                outer: self.via.clone(),
            })),
            ..self.clone()
        }
    }

    /// Where the body of a declaration is read that is used here at `span`.
    fn inside(&self, module: usize, span: Span) -> Self {
        Env {
            via: self.used_at(span).via,
            ..Env::of_module(module)
        }
    }

    fn bound(&self, name: &str) -> Option<&Bound<'a>> {
        let mut scope = self.scope.as_ref();
        while let Some(here) = scope {
            if here.name == name {
                return Some(&here.bound);
            }
            scope = here.outer.as_ref();
        }
        None
    }

    /// Have the same uses led here again and again?
    fn is_ring(&self) -> bool {
        let Some(last) = &self.via else { return false };
        let uses = std::iter::successors(self.via.as_ref(), |via| via.outer.as_ref());
        uses.filter(|via| via.span == last.span).count() > 20
    }

    /// How many uses led here.
    fn depth(&self) -> usize {
        std::iter::successors(self.via.as_ref(), |via| via.outer.as_ref()).count()
    }
}

/// An expression, where it is read, and the place that it is for.
#[derive(Clone)]
pub(crate) struct Slot<'a> {
    expr: &'a Expr,
    env: Env<'a>,
    /// The field or parameter, for messages: `lr_b`.
    place: Rc<str>,
}

impl<'a> Slot<'a> {
    fn new(expr: &'a Expr, env: Env<'a>, place: &str) -> Self {
        Slot {
            expr,
            env,
            place: place.into(),
        }
    }

    fn with(&self, expr: &'a Expr) -> Self {
        Slot {
            expr,
            ..self.clone()
        }
    }

    fn span(&self) -> Span {
        self.expr.span
    }

    /// The word, if the expression is a bare name.
    fn word(&self) -> Option<&'a str> {
        name_of(self.expr)
    }
}

/// The name, if the expression is one.
fn name_of(expr: &Expr) -> Option<&str> {
    if let ExprKind::Name(name) = &expr.kind {
        Some(name)
    } else {
        None
    }
}

/// The name and the arguments of `name(args)`.
fn named_call(expr: &Expr) -> Option<(&str, &[Arg])> {
    if let ExprKind::Call(callee, args) = &expr.kind {
        Some((name_of(callee)?, args))
    } else {
        None
    }
}

/// The argument of a call that has one of these names, else the one at `position`.
fn argument<'e>(call: &'e Expr, names: &[&str], position: usize) -> Option<&'e Arg> {
    let (_, arguments) = named_call(call)?;
    let is_named = |arg: &&Arg| {
        let name = arg.name.as_ref().map(|name| name.value.as_str());
        name.is_some_and(|name| names.contains(&name))
    };
    arguments.iter().find(is_named).or(arguments.get(position))
}

impl<'a> Checker<'a> {
    fn new(
        sources: &'a Sources,
        modules: &'a [Module],
        caps: Option<profile::Caps>,
        found: Vec<Diagnostic>,
    ) -> Self {
        let mut checker = Checker {
            sources,
            modules,
            names: vec![],
            poisoned: BTreeSet::new(),
            wrong: BTreeSet::new(),
            disputed: BTreeSet::new(),
            caps,
            above: BTreeMap::new(),
            found,
            to_compare: messages::MOST_COMPARED,
            broken: vec![],
            parted: BTreeMap::new(),
            losses: loss::Known::default(),
            misstated: BTreeMap::new(),
            judged: BTreeSet::new(),
            stand_in: None,
            question: ask::Question::default(),
            budget: 0,
            steps_left: MOST_STEPS_IN_ALL,
            is_overfull: modules.iter().any(|module| module.is_overfull),
            rows_left: MOST_EXPERIMENTS,
            is_exhausted: false,
            is_guessing: false,
            parts: vec![],
            places: None,
            objective: Written::default(),
        };
        let syntax = checker.found.iter().filter(|d| is_syntax(d));
        checker.broken = syntax.map(|d| d.primary.span).collect();
        checker.allow_steps();
        checker.collect_names();
        checker
    }

    /// The declaration that a name means here, unless a parameter or `for` shadows it.
    fn declared(&self, module: usize, name: &str) -> Option<(usize, &'a Decl)> {
        self.names[module].get(name).copied()
    }

    /// A name that is a mistake already: nothing more is said about it.
    fn is_poisoned(&self, module: usize, name: &str) -> bool {
        match self.declared(module, name) {
            Some((owner, _)) => self.poisoned.contains(&(owner, name)),
            None => {
                let uses = self.modules[module].uses.iter().copied();
                uses.chain([module])
                    .any(|m| self.modules[m].broken.contains(name))
            }
        }
    }

    /// The declarations of a module in the order of its text.
    fn decls(&self, module: usize) -> impl Iterator<Item = &'a Decl> + use<'a> {
        self.modules[module]
            .tree
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Decl(decl) => Some(decl),
                Item::Assert(_) | Item::Allow(_) => None,
            })
    }
}
