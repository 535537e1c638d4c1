//! Syntax tree to closed experiments, one file per subject. Every mistake in meaning is found here.
//!
//! Names are macros: an expression is read where a certain kind of value is wanted, and a name in it stands for the
//! expression of its declaration. So there is one function for each kind of value, and no untyped value between.

mod chains;
mod claims;
mod evals;
mod layers;
pub(crate) mod load;
mod loss;
mod media;
mod names;
mod pretrain;
mod profile;
mod record;
mod rows;
#[cfg(test)]
mod tests;
mod time;
mod train;
mod values;

use crate::Profile;
use crate::catalog::{self, Family, Operator};
use crate::codes;
use crate::hir;
use grammar::ast::{Arg, Body, Decl, Expr, ExprKind, Item, Kind};
use grammar::diagnostic::{Diagnostic, Label, Severity};
use grammar::span::{FileId, Sources, Span};
use load::Module;
use record::Record;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

pub use load::{PAPER, Resolver, SHIPPED, TOY};

/// Checks the file `root` with all that it uses. The program is there only if there is no error.
pub(crate) fn check(
    sources: &mut Sources,
    root: FileId,
    resolve: &Resolver<'_>,
    profile: Profile,
) -> (Option<hir::Program>, Vec<Diagnostic>) {
    let mut found = vec![];
    let modules = load::load(sources, root, resolve, &mut found);
    let caps = match profile {
        Profile::Full => None,
        Profile::Toy => Some(profile::caps(sources, &mut found)),
    };
    let mut checker = Checker::new(sources, &modules, caps, found);
    checker.find_rings_and_unknowns();
    let program = checker.program();
    let found = settle(checker.found, root);
    let is_wrong = found.iter().any(|d| d.severity == Severity::Error);
    (program.filter(|_| !is_wrong), found)
}

/// Each mistake once, those of the root file first, in the order of the text.
fn settle(mut found: Vec<Diagnostic>, root: FileId) -> Vec<Diagnostic> {
    found.sort_by_key(|d| {
        (
            d.primary.span.file != root,
            d.primary.span,
            d.severity,
            d.code,
        )
    });
    let mut seen = BTreeSet::new();
    found.retain(|d| seen.insert((d.code, d.primary.span)));
    found
}

/// Steps of expansion of one row or loss. The paper's largest takes a few thousand; functions that call functions twice each
/// would take more than any machine has.
const MOST_STEPS: u32 = 200_000;

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
    /// The bounds of `--toy`.
    caps: Option<profile::Caps>,
    /// What was found so far.
    found: Vec<Diagnostic>,
    /// Steps left before an experiment counts as too large to expand.
    budget: u32,
    /// One was too large, and that is reported: nothing is expanded any more.
    is_exhausted: bool,
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
        match &self.expr.kind {
            ExprKind::Name(name) => Some(name),
            _ => None,
        }
    }
}

/// A call of an operator with its arguments in place.
pub(crate) struct Call<'a> {
    operator: &'static Operator,
    named: BTreeMap<&'static str, Slot<'a>>,
    positional: Vec<Slot<'a>>,
}

impl<'a> Call<'a> {
    fn get(&self, name: &str) -> Option<&Slot<'a>> {
        self.named.get(name)
    }
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
            caps,
            found,
            budget: MOST_STEPS,
            is_exhausted: false,
        };
        checker.collect_names();
        checker
    }

    /// Adds a mistake. One inside a shipped module is shown at the use that led there, with the shipped line as a label.
    fn report(&mut self, env: &Env<'a>, mut diagnostic: Diagnostic) {
        if self.is_shipped(diagnostic.primary.span.file) {
            let mut uses = std::iter::successors(env.via.as_ref(), |via| via.outer.as_ref());
            if let Some(via) = uses.find(|via| !self.is_shipped(via.span.file)) {
                let inner = std::mem::replace(
                    &mut diagnostic.primary,
                    Label {
                        span: via.span,
                        text: String::new(),
                    },
                );
                let text = if inner.text.is_empty() {
                    "it comes from here".to_string()
                } else {
                    inner.text
                };
                diagnostic.labels.insert(
                    0,
                    Label {
                        span: inner.span,
                        text,
                    },
                );
            }
        }
        diagnostic.edits.retain(|edit| {
            !self
                .modules
                .iter()
                .any(|m| m.is_shipped && m.file == edit.span.file)
        });
        self.found.push(diagnostic);
    }

    fn is_shipped(&self, file: FileId) -> bool {
        self.modules.iter().any(|m| m.file == file && m.is_shipped)
    }

    /// Adds a plain error at an expression.
    fn error(
        &mut self,
        slot: &Slot<'a>,
        code: grammar::diagnostic::Code,
        message: impl Into<String>,
    ) {
        self.report(&slot.env, Diagnostic::error(code, slot.span(), message));
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

    /// Counts one step of expansion. `None`: there were too many, in number or in depth.
    fn step(&mut self, slot: &Slot<'a>) -> Option<()> {
        if self.is_exhausted {
            return None;
        }
        if self.budget == 0 || slot.env.depth() > 200 {
            self.is_exhausted = true;
            let message = format!("`{}` expands to more than any experiment needs", slot.place);
            let diagnostic = Diagnostic::error(codes::NOTHING_TO_MINIMISE, slot.span(), message)
                .note("names and functions stand for their definitions, and these stand for one another too often");
            self.report(&slot.env, diagnostic);
            return None;
        }
        self.budget -= 1;
        Some(())
    }

    /// Follows names, and calls of the file's own functions, to the expression that they stand for. A name that is not
    /// declared stays as it is: it may be a word of the language. `None`: a mistake that is reported already.
    fn reduce(&mut self, slot: &Slot<'a>) -> Option<Slot<'a>> {
        let mut slot = slot.clone();
        loop {
            self.step(&slot)?;
            match &slot.expr.kind {
                ExprKind::Name(name) => {
                    if let Some(bound) = slot.env.bound(name) {
                        let Bound::Expr(expr, env) = bound.clone() else {
                            return Some(slot);
                        };
                        slot = Slot {
                            expr,
                            env,
                            place: slot.place,
                        };
                        continue;
                    }
                    if self.is_poisoned(slot.env.module, name) {
                        return None;
                    }
                    if let Some((module, decl)) = self.declared(slot.env.module, name) {
                        let Body::Expr(expr) = &decl.body else {
                            return Some(slot);
                        };
                        if !decl.params.is_empty() || self.is_own_word(expr, name) {
                            return Some(slot);
                        }
                        let env = Env {
                            via: slot.env.used_at(slot.span()).via,
                            ..Env::of_module(module)
                        };
                        slot = Slot {
                            expr,
                            env,
                            place: slot.place,
                        };
                        continue;
                    }
                    // A word of the language keeps its meaning inside a record that has a field of that name, such as `bn`.
                    if catalog::any_operator(name).is_some() {
                        return Some(slot);
                    }
                    let Some((record, entry)) = slot
                        .env
                        .record
                        .as_ref()
                        .and_then(|r| Some((r.clone(), r.entry(name)?)))
                    else {
                        return Some(slot);
                    };
                    let (expr, env) = (entry.value, record.env_of(entry).used_at(slot.span()));
                    slot = Slot {
                        expr,
                        env,
                        place: slot.place,
                    };
                }
                ExprKind::Call(callee, args) => {
                    let ExprKind::Name(name) = &callee.kind else {
                        return Some(slot);
                    };
                    let function = self
                        .declared(slot.env.module, name)
                        .filter(|(_, decl)| !decl.params.is_empty());
                    let Some((module, decl)) = function else {
                        return Some(slot);
                    };
                    if self.is_poisoned(slot.env.module, name) {
                        return None;
                    }
                    let Body::Expr(expr) = &decl.body else {
                        return Some(slot);
                    };
                    let args = self.match_params(&slot, name, decl, args)?;
                    let mut env = Env {
                        via: slot.env.used_at(slot.span()).via,
                        ..Env::of_module(module)
                    };
                    for (param, arg) in decl.params.iter().zip(args) {
                        env = env.bind(&param.value, Bound::Expr(arg, slot.env.clone()));
                    }
                    slot = Slot {
                        expr,
                        env,
                        place: slot.place,
                    };
                }
                _ => return Some(slot),
            }
        }
    }

    /// `layers bn = bn` would be a ring and is found as one; a declaration that is a word of itself cannot be followed.
    fn is_own_word(&self, expr: &Expr, name: &str) -> bool {
        expr.kind == ExprKind::Name(name.into())
    }

    /// The arguments of a call of a file's own function in the order of its parameters.
    fn match_params(
        &mut self,
        slot: &Slot<'a>,
        name: &str,
        decl: &'a Decl,
        args: &'a [Arg],
    ) -> Option<Vec<&'a Expr>> {
        let mut placed: Vec<Option<&'a Expr>> = vec![None; decl.params.len()];
        let mut fits = args.len() == decl.params.len();
        for (position, arg) in args.iter().enumerate() {
            let index = match &arg.name {
                None => Some(position),
                Some(name) => decl.params.iter().position(|p| p.value == name.value),
            };
            match index.and_then(|i| placed.get_mut(i)) {
                Some(place @ None) => *place = Some(&arg.value),
                Some(Some(_)) | None => fits = false,
            }
        }
        if !fits || placed.iter().any(Option::is_none) {
            let params: Vec<&str> = decl.params.iter().map(|p| p.value.as_str()).collect();
            let message = format!(
                "`{name}` takes {}, this gives {}",
                counted(params.len(), "argument"),
                args.len()
            );
            let diagnostic = Diagnostic::error(codes::WRONG_ARGUMENTS, slot.span(), message)
                .label(decl.name.span, "defined here")
                .help(format!("write `{name}({})`", params.join(", ")));
            self.report(&slot.env, diagnostic);
            return None;
        }
        Some(placed.into_iter().flatten().collect())
    }

    /// Reads `name(args)` or a bare `name` as an operator of a family. `None` inside: it is something else, and nothing was
    /// reported. `Err`: it is such an operator with a mistake that is reported.
    fn operator_call(&mut self, slot: &Slot<'a>, family: Family) -> Result<Option<Call<'a>>, ()> {
        let (name, args): (&'a str, &'a [Arg]) = match &slot.expr.kind {
            ExprKind::Name(name) => (name, &[]),
            ExprKind::Call(callee, args) => match &callee.kind {
                ExprKind::Name(name) => (name, args),
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        let Some(operator) = catalog::operator(family, name) else {
            return Ok(None);
        };
        if operator.is_later {
            let message =
                format!("`{name}` is part of the language, but this version cannot run it");
            let known: Vec<String> = catalog::operators_of(family)
                .map(|o| format!("`{o}`"))
                .collect();
            let mut diagnostic = Diagnostic::error(codes::NOT_AVAILABLE, slot.span(), message);
            if known.len() <= 4 {
                diagnostic = diagnostic.help(format!("what runs here: {}", known.join(", ")));
            }
            self.report(&slot.env, diagnostic);
            return Err(());
        }
        self.place_arguments(slot, operator, args)
            .map(Some)
            .ok_or(())
    }

    /// Puts each argument to its parameter. All mistakes of one call are reported.
    fn place_arguments(
        &mut self,
        slot: &Slot<'a>,
        operator: &'static Operator,
        args: &'a [Arg],
    ) -> Option<Call<'a>> {
        let mut named: BTreeMap<&'static str, Slot<'a>> = BTreeMap::new();
        let mut positional = vec![];
        let mut is_right = true;
        for arg in args {
            let Some(name) = &arg.name else {
                let next = operator.parameters.get(positional.len());
                if operator.is_variadic {
                    positional.push(Slot::new(&arg.value, slot.env.clone(), operator.name));
                } else if let Some(parameter) = next {
                    let place = if operator.parameters.len() == 1 {
                        operator.name
                    } else {
                        parameter.name
                    };
                    positional.push(Slot::new(&arg.value, slot.env.clone(), place));
                    named.insert(parameter.name, positional[positional.len() - 1].clone());
                } else {
                    let most = counted(operator.parameters.len(), "argument");
                    let message = format!("`{}` takes {most}, this is one more", operator.name);
                    self.report(
                        &slot.env,
                        Diagnostic::error(codes::WRONG_ARGUMENTS, arg.value.span, message),
                    );
                    is_right = false;
                }
                continue;
            };
            let Some(parameter) = operator.parameters.iter().find(|p| p.name == name.value) else {
                let known: Vec<&str> = operator.parameters.iter().map(|p| p.name).collect();
                let message = format!("`{}` has no argument `{}`", operator.name, name.value);
                let mut diagnostic = Diagnostic::error(codes::UNKNOWN_FIELD, name.span, message);
                if !known.is_empty() {
                    let list: Vec<String> = known.iter().map(|k| format!("`{k}`")).collect();
                    diagnostic = diagnostic.note(format!("its arguments: {}", list.join(", ")));
                }
                let diagnostic = suggest(diagnostic, name.span, &name.value, known.into_iter());
                self.report(&slot.env, diagnostic);
                is_right = false;
                continue;
            };
            let argument = Slot::new(&arg.value, slot.env.clone(), parameter.name);
            if named.insert(parameter.name, argument).is_some() {
                let message = format!("`{}` is set twice in one call", parameter.name);
                self.report(
                    &slot.env,
                    Diagnostic::error(codes::SET_TWICE, name.span, message),
                );
                is_right = false;
            }
        }
        let missing = operator
            .parameters
            .iter()
            .filter(|p| p.is_required && !named.contains_key(p.name));
        let missing: Vec<String> = missing.map(|p| format!("`{}`", p.name)).collect();
        if !missing.is_empty() && is_right {
            let message = format!("`{}` needs {}", operator.name, missing.join(" and "));
            let kinds: Vec<String> = operator
                .parameters
                .iter()
                .filter(|p| p.is_required && !named.contains_key(p.name))
                .map(|p| format!("`{}` takes {}", p.name, p.takes.noun()))
                .collect();
            let diagnostic = Diagnostic::error(codes::MISSING_FIELD, slot.span(), message)
                .note(kinds.join("; "));
            self.report(&slot.env, diagnostic);
            is_right = false;
        }
        is_right.then_some(Call {
            operator,
            named,
            positional,
        })
    }

    /// The expression is not what its place takes: says what it is, and what is meant if a name is near.
    fn wrong(&mut self, original: &Slot<'a>, reduced: &Slot<'a>, wanted: &Wanted<'_>) {
        if let Some(name) = original.word()
            && original.env.bound(name).is_none()
            && self.declared(original.env.module, name).is_none()
            && catalog::any_operator(name).is_none()
            && original
                .env
                .record
                .as_ref()
                .is_none_or(|r| r.entry(name).is_none())
        {
            self.unknown(original, name, wanted);
            return;
        }
        if let Some(name) = reduced.word()
            && original.word() != Some(name)
            && self.declared(reduced.env.module, name).is_none()
            && catalog::any_operator(name).is_none()
        {
            self.unknown(reduced, name, wanted);
            return;
        }
        if let ExprKind::Call(callee, _) = &reduced.expr.kind
            && let ExprKind::Name(name) = &callee.kind
            && catalog::any_operator(name).is_none()
            && self.declared(reduced.env.module, name).is_none()
        {
            let callee = reduced.with(callee);
            self.unknown(&callee, name, wanted);
            return;
        }
        let message = format!(
            "`{}` takes {}, this is {}",
            original.place,
            wanted.noun,
            self.describe(reduced)
        );
        let mut diagnostic =
            Diagnostic::error(codes::WRONG_KIND_OF_VALUE, original.span(), message);
        if let Some(example) = wanted.example {
            diagnostic = diagnostic.help(format!("for example `{example}`"));
        }
        self.report(&original.env, diagnostic);
    }

    /// A name that nothing knows, with what may be meant.
    fn unknown(&mut self, slot: &Slot<'a>, name: &str, wanted: &Wanted<'_>) {
        if self.modules[slot.env.module].lacks_a_module {
            return;
        }
        let mut known: Vec<String> = vec![];
        for (visible, (_, decl)) in &self.names[slot.env.module] {
            if wanted.kinds.contains(&decl.kind.value) {
                known.push(visible.to_string());
            }
        }
        known.extend(wanted.words.iter().map(|word| word.to_string()));
        known.extend(
            wanted
                .families
                .iter()
                .flat_map(|f| catalog::operators_of(*f))
                .map(str::to_string),
        );
        let candidates: Vec<&str> = known.iter().map(String::as_str).collect();
        let noun = wanted
            .kinds
            .first()
            .map_or("value", |kind| catalog::kind_noun(*kind));
        let noun = match wanted.kinds.first() {
            Some(Kind::Augment) => "augmentation",
            Some(Kind::Layers) => "layer",
            Some(_) | None => noun.split_once(' ').map_or(noun, |(_, noun)| noun),
        };
        let message = format!("no {noun} named `{name}`");
        let mut diagnostic = Diagnostic::error(codes::UNKNOWN_NAME, slot.span(), message);
        if nearest(name, candidates.iter().copied()).is_empty()
            && !candidates.is_empty()
            && candidates.len() <= 12
        {
            let list: Vec<String> = candidates.iter().map(|c| format!("`{c}`")).collect();
            diagnostic = diagnostic.note(format!("known here: {}", list.join(", ")));
        }
        if self.modules[slot.env.module].uses.is_empty() && slot.env.module == 0 {
            diagnostic = diagnostic
                .note("this file uses no module; the paper's names come with `use paper`");
        }
        let diagnostic = suggest(diagnostic, slot.span(), name, candidates.into_iter());
        self.report(&slot.env, diagnostic);
    }

    /// What an expression is, in the words of messages.
    fn describe(&self, slot: &Slot<'a>) -> String {
        match &slot.expr.kind {
            ExprKind::Number(number) => {
                crate::units::Quantity::parse(&number.digits, number.unit.as_deref())
                    .map_or("a number".into(), |q| q.dimension.noun())
            }
            ExprKind::Dims(..) => "a size".into(),
            ExprKind::At(..) => "a clip".into(),
            ExprKind::String(_) => "a text".into(),
            ExprKind::Name(name)
            | ExprKind::Member(_, grammar::span::Spanned { value: name, .. }) => {
                match (
                    self.declared(slot.env.module, name),
                    catalog::any_operator(name),
                ) {
                    (Some((_, decl)), _) => catalog::kind_noun(decl.kind.value).into(),
                    (None, Some(operator)) => operator.family.noun().into(),
                    (None, None) => format!("the word `{name}`"),
                }
            }
            ExprKind::List(_) => "a list".into(),
            ExprKind::Tuple(_) => "a group in parentheses".into(),
            ExprKind::Neg(_) | ExprKind::Binary(..) => "a sum or a chain".into(),
            ExprKind::Compare(..) => "a comparison".into(),
            ExprKind::Arrow(..) => "a range".into(),
            ExprKind::On(..) => "an evaluation on a data set".into(),
            ExprKind::With(..) => "a changed copy of a record".into(),
            ExprKind::Index(..) => "a view".into(),
            ExprKind::Call(callee, _) | ExprKind::Comprehension(callee, _) => match &callee.kind {
                ExprKind::Name(name) => match catalog::any_operator(name) {
                    Some(operator) => operator.family.noun().into(),
                    None => "a call".into(),
                },
                _ => "a call".into(),
            },
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
                Item::Assert(_) => None,
            })
    }
}

/// What a place takes, for the message when something else stands there.
pub(crate) struct Wanted<'w> {
    noun: &'w str,
    kinds: &'w [Kind],
    words: &'w [&'w str],
    families: &'w [Family],
    example: Option<&'w str>,
}

impl<'w> Wanted<'w> {
    const fn new(noun: &'w str, kinds: &'w [Kind], families: &'w [Family]) -> Self {
        Wanted {
            noun,
            kinds,
            words: &[],
            families,
            example: None,
        }
    }

    const fn example(self, example: &'w str) -> Self {
        Wanted {
            example: Some(example),
            ..self
        }
    }
}

/// The candidates nearest to a misspelt name: one, or several that are equally near. None is better than a far one.
pub(crate) fn nearest<'n>(name: &str, candidates: impl Iterator<Item = &'n str>) -> Vec<String> {
    let lower = name.to_lowercase();
    let limit = (name.chars().count() / 3).clamp(1, 3);
    let near = |candidate: &'n str| {
        let distance = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
        let prefix = candidate.starts_with(name) || name.starts_with(candidate);
        let is_part = prefix && name.len() > 1 && candidate.len() > 1;
        (distance <= limit && distance < name.chars().count().max(2) || is_part)
            .then_some((distance, candidate))
    };
    let mut near: Vec<(usize, &str)> = candidates.filter_map(near).collect();
    near.sort();
    near.dedup();
    let Some((best, _)) = near.first().copied() else {
        return vec![];
    };
    near.iter()
        .filter(|(d, _)| *d == best)
        .map(|(_, c)| c.to_string())
        .take(2)
        .collect()
}

/// Adds "did you mean" and the edit.
pub(crate) fn suggest<'n>(
    diagnostic: Diagnostic,
    span: Span,
    name: &str,
    candidates: impl Iterator<Item = &'n str>,
) -> Diagnostic {
    match nearest(name, candidates).as_slice() {
        [] => diagnostic,
        [one] => diagnostic
            .here(format!("did you mean `{one}`?"))
            .help(format!("replace with `{one}`"))
            .edit(span, one.clone()),
        [one, other, ..] => diagnostic.here(format!("did you mean `{one}` or `{other}`?")),
    }
}

/// `1 score`, `2 scores`.
pub(crate) fn counted(number: usize, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{s}")
}
