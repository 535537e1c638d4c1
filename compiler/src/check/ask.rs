//! Which rows a condition holds for: `loss has async and bs >= 1024`, asked of each record before it is forgotten.
//!
//! A comparison with `==` asks whether the field, set to that value, would give the same run: names, units and the order of a
//! sum do not matter, as they do not in a hash. Every other comparison is one of numbers.

use super::layers::Role;
use super::record::Record;
use super::{Checker, Env, Slot, Wanted, name_of};
use crate::catalog::{self, Type};
use crate::codes;
use crate::hir::Pretrain;
use crate::units::{Dimension, Exact, Quantity};
use crate::written;
use grammar::ast::{CompareOp, Expr, ExprKind, Kind, Path};
use grammar::diagnostic::{Diagnostic, Severity};
use grammar::query::Condition;
use grammar::span::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A condition, and what became of it.
#[derive(Default)]
pub(crate) struct Question<'a> {
    /// What is asked; nothing where nothing is.
    pub condition: Option<&'a Condition>,
    /// Of the record that was closed last.
    holds: bool,
    /// The answers: by the place of a table's name and the position of a row in it, or by the place of a pretraining's name.
    pub answers: BTreeMap<(Span, Option<usize>), bool>,
    /// Mistakes in the question itself.
    pub wrong: Vec<Diagnostic>,
    /// Values that could not be read beside a row, with what was wrong, until they can be beside another one.
    doubts: BTreeMap<Span, Vec<Diagnostic>>,
    /// Values that could be read.
    read: BTreeSet<Span>,
}

impl Question<'_> {
    /// Notes the answer for the record that was closed last, if anything is asked.
    pub fn note(&mut self, place: (Span, Option<usize>)) {
        if self.condition.is_some() {
            self.answers.insert(place, self.holds);
        }
    }

    /// All mistakes: also of values that fitted no row.
    pub fn mistakes(self) -> Vec<Diagnostic> {
        let doubts = self
            .doubts
            .into_iter()
            .filter(|(span, _)| !self.read.contains(span));
        let mut seen = BTreeSet::new();
        let all = self
            .wrong
            .into_iter()
            .chain(doubts.flat_map(|(_, found)| found));
        all.filter(|d| seen.insert((d.code, d.primary.span)))
            .collect()
    }
}

/// A record of the row that is asked about, and what it closes to.
struct Asked<'r, 'a> {
    record: &'r Rc<Record<'a>>,
    pretrain: &'r Pretrain,
    checkpoint: Option<u32>,
    of: &'r str,
}

impl<'a> Checker<'a> {
    /// Asks the question, if there is one, of a record that starts from `of`.
    pub(super) fn ask(
        &mut self,
        record: &Rc<Record<'a>>,
        pretrain: &Pretrain,
        checkpoint: Option<u32>,
        of: &str,
    ) {
        let Some(condition) = self.question.condition else {
            return;
        };
        let asked = Asked {
            record,
            pretrain,
            checkpoint,
            of,
        };
        self.question.holds = self.holds(condition, &asked);
    }

    /// Both sides are read even where one decides, so that a mistake in the other is found.
    fn holds(&mut self, condition: &'a Condition, asked: &Asked<'_, 'a>) -> bool {
        match condition {
            Condition::And(a, b) => self.holds(a, asked) & self.holds(b, asked),
            Condition::Or(a, b) => self.holds(a, asked) | self.holds(b, asked),
            Condition::Not(inner) => !self.holds(inner, asked),
            Condition::Has(field, part) => self.contains(field, part, asked),
            Condition::Compare(claim) => {
                let ExprKind::Compare(op, left, right) = &claim.kind else {
                    unreachable!("query: a claim is a comparison");
                };
                self.compares(op.value, left, right, asked)
            }
        }
    }

    fn compares(
        &mut self,
        op: CompareOp,
        left: &'a Expr,
        right: &'a Expr,
        asked: &Asked<'_, 'a>,
    ) -> bool {
        let path = path_of(left);
        if let (Some(path), CompareOp::Equal) = (&path, op) {
            let written = path.to_string();
            if written == "of" {
                return self.sources.text(right.span) == asked.of;
            }
            let is_number = catalog::PRETRAIN
                .iter()
                .any(|f| f.name == written && matches!(f.takes, Type::Quantity(_)));
            if self.is_field(Kind::Pretrain, 0, path) && !is_number {
                let same = self.with(&written, right, asked);
                return same.is_some_and(|closed| closed == *asked.pretrain);
            }
        }
        if let Some(path) = path.filter(|path| !self.is_readable(path)) {
            self.no_such_field(&path, asked);
            return false;
        }
        let numbers = (
            self.number_in(left, op, asked),
            self.number_in(right, op, asked),
        );
        let (Some(a), Some(b)) = numbers else {
            return false;
        };
        if a.dimension != b.dimension {
            let message = format!(
                "these do not compare: {} and {}",
                a.dimension.noun(),
                b.dimension.noun()
            );
            let mut diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, right.span, message);
            if let (ExprKind::Number(number), true) =
                (&right.kind, b.dimension != Dimension::NUMBER)
                && a.dimension == Dimension::NUMBER
            {
                let digits = number.digits.clone();
                diagnostic = diagnostic
                    .help(format!("write `{digits}`"))
                    .edit(right.span, digits);
            }
            self.question.wrong.push(diagnostic);
            return false;
        }
        match op {
            CompareOp::Equal => a.value == b.value,
            CompareOp::AtMost => a.value <= b.value,
            CompareOp::AtLeast => a.value >= b.value,
            CompareOp::Less => a.value < b.value,
            CompareOp::Greater => a.value > b.value,
        }
    }

    /// Does the value of a field contain that of `part`: each term of a loss, each link of a chain, each layer, or a word?
    fn contains(&mut self, field: &'a Expr, part: &'a Expr, asked: &Asked<'_, 'a>) -> bool {
        let Some(path) = path_of(field).filter(|path| self.is_readable(path)) else {
            match path_of(field) {
                Some(path) => self.no_such_field(&path, asked),
                None => self.question.wrong.push(
                    Diagnostic::error(
                        codes::WRONG_KIND_OF_VALUE,
                        field.span,
                        "before `has` stands a field",
                    )
                    .help("write `loss has async`"),
                ),
            }
            return false;
        };
        let written = path.to_string();
        let last = path.names.last().map_or("", |name| name.value.as_str());
        let is_word = name_of(part).is_some_and(|name| {
            self.declared(0, name).is_none() && catalog::any_operator(name).is_some()
        });
        if is_word {
            let word = name_of(part).unwrap_or_default();
            let fields = written::pretrain(asked.pretrain);
            let is_of = |known: &str| known == written || known.ends_with(&format!(".{written}"));
            return fields.iter().any(|(known, text)| {
                let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                is_of(known) && words.any(|other| other == word)
            });
        }
        let slot = Slot::new(part, Env::of_module(0), "has");
        let modalities = asked.pretrain.modalities.iter();
        let owner = path.names.first().filter(|_| path.names.len() == 2);
        let mut mine = modalities.filter(|m| owner.is_none_or(|owner| owner.value == m.name));
        match last {
            "loss" => {
                let parts = self.doubtful(part.span, |checker| {
                    let networks = checker.networks(asked.record)?;
                    checker.normal_form(&slot, &networks.context)
                });
                let own = &asked.pretrain.loss;
                let zero = Exact::whole(0);
                parts.is_some_and(|parts| {
                    let mut terms = parts.terms.iter();
                    !parts.terms.is_empty() && terms.all(|(term, _)| own.weight(term) != zero)
                })
            }
            "augment" => {
                let chain = self.doubtful(part.span, |checker| checker.chain(&slot, None));
                let links = chain.map_or(vec![], |chain| chain.links);
                let has =
                    |m: &crate::hir::Modality| links.iter().all(|l| m.augment.links.contains(l));
                !links.is_empty() && mine.any(has)
            }
            "f" | "h" => {
                let network = self.doubtful(part.span, |checker| checker.network(&slot, Role::Any));
                let layers = network.map_or(vec![], |network| network.layers);
                let of = |m: &crate::hir::Modality| match last {
                    "f" => m.f.layers.clone(),
                    _ => m.h.as_ref().map_or(vec![], |h| h.layers.clone()),
                };
                let has = |m: &crate::hir::Modality| {
                    let own = of(m);
                    layers.iter().all(|layer| own.contains(layer))
                };
                !layers.is_empty() && mine.any(has)
            }
            _ => {
                let same = self.with(&written, part, asked);
                same.is_some_and(|closed| closed == *asked.pretrain)
            }
        }
    }

    /// What the record closes to with one field set to `value`.
    fn with(&mut self, path: &str, value: &'a Expr, asked: &Asked<'_, 'a>) -> Option<Pretrain> {
        let mut changed = (**asked.record).clone();
        // What is said of one modality stands before what is said of all.
        let ending = format!(".{path}");
        changed.entries.retain(|known, _| !known.ends_with(&ending));
        changed.set(path.to_owned(), value, Env::of_module(0), value.span);
        self.doubtful(value.span, |checker| {
            checker.pretrain(&Rc::new(changed), &Env::of_module(0))
        })
    }

    /// A value that may be a mistake of the question, or may merely not fit this row: it is one if it fits none.
    fn doubtful<T>(&mut self, span: Span, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let before = self.found.len();
        let value = read(self);
        let own = self.found.split_off(before);
        let is_error = |d: &Diagnostic| d.severity == Severity::Error;
        let errors: Vec<Diagnostic> = own.into_iter().filter(is_error).collect();
        if errors.is_empty() && value.is_some() {
            self.question.read.insert(span);
            return value;
        }
        self.question.doubts.entry(span).or_insert(errors);
        None
    }

    /// The number that an expression is beside this row.
    fn number_in(
        &mut self,
        expr: &'a Expr,
        op: CompareOp,
        asked: &Asked<'_, 'a>,
    ) -> Option<Quantity> {
        if name_of(expr) == Some("checkpoint") {
            let epoch = asked.checkpoint.unwrap_or(asked.pretrain.ep);
            return Quantity::parse(&epoch.to_string(), Some("ep"));
        }
        let env = Env {
            record: Some(asked.record.clone()),
            ..Env::of_module(0)
        };
        let sign = match op {
            CompareOp::Equal => "==",
            CompareOp::AtMost => "<=",
            CompareOp::AtLeast => ">=",
            CompareOp::Less => "<",
            CompareOp::Greater => ">",
        };
        let slot = Slot::new(expr, env, sign);
        let wanted = Wanted::new("a number", &[Kind::Let], &[]);
        self.doubtful(expr.span, |checker| checker.arithmetic(&slot, &wanted))
    }

    /// Is a path a field, a part of one, or a declared value?
    fn is_readable(&self, path: &Path) -> bool {
        let first = Path {
            span: path.span,
            names: path.names[..1].to_vec(),
        };
        let is_own = |path: &Path| {
            self.is_field(Kind::Pretrain, 0, path)
                || catalog::OF_ROWS.contains(&path.to_string().as_str())
        };
        let pair = Path {
            span: path.span,
            names: path.names.iter().take(2).cloned().collect(),
        };
        let is_shared = catalog::PER_MODALITY
            .iter()
            .any(|f| f.name == first.to_string());
        is_own(&first)
            || is_own(&pair)
            || is_shared
            || self.declared(0, &path.names[0].value).is_some()
    }

    fn no_such_field(&mut self, path: &Path, asked: &Asked<'_, 'a>) {
        let before = self.found.len();
        self.unknown_field(&Env::of_module(0), asked.record, path);
        let own = self.found.split_off(before);
        self.question.wrong.extend(own);
    }
}

/// `bs`, `v.lr_b`: the names of an expression that is nothing but names.
fn path_of(expr: &Expr) -> Option<Path> {
    let mut names = vec![];
    let mut at = expr;
    while let ExprKind::Member(base, member) = &at.kind {
        names.push(member.clone());
        at = base;
    }
    names.push(grammar::span::Spanned::new(
        name_of(at)?.to_owned(),
        at.span,
    ));
    names.reverse();
    Some(Path {
        span: expr.span,
        names,
    })
}
