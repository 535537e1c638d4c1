//! `assert`: losses by their normal forms in every pretraining of the file, records field by field, numbers exactly.

use super::loss::Context;
use super::{Checker, Env, Slot, Wanted, name_of};
use crate::catalog::{self, Family};
use crate::codes;
use crate::hir::{Data, Synthetic};
use crate::loss::Loss;
use crate::units::Exact;
use crate::written;
use grammar::ast::{Assert, CompareOp, Expr, ExprKind, Item, Kind};
use grammar::diagnostic::Diagnostic;
use serde::Serialize;
use std::collections::BTreeSet;
use std::rc::Rc;

/// How many differing terms or fields a message lists.
const MOST_LINES: usize = 12;

impl<'a> Checker<'a> {
    /// Proves the assertions of every module.
    pub(super) fn claims(&mut self) {
        for module in 0..self.modules.len() {
            let asserts: Vec<&'a Assert> = self.modules[module]
                .tree
                .items
                .iter()
                .filter_map(|item| match item {
                    Item::Assert(assert) => Some(assert),
                    Item::Decl(_) | Item::Allow(_) => None,
                })
                .collect();
            if !asserts.is_empty() {
                let contexts = self.contexts(module);
                asserts
                    .into_iter()
                    .for_each(|assert| self.claim(module, assert, &contexts));
            }
        }
    }

    /// The contexts in which a module's claims about losses are proved: its own pretrainings, or those it uses.
    fn contexts(&mut self, module: usize) -> Vec<(String, Context)> {
        let mut modules = vec![module];
        modules.extend(self.modules[module].uses.iter().copied());
        for module in modules {
            let mut contexts: Vec<(String, Context)> = vec![];
            for (decl, record) in self.declared_records(module, Kind::Pretrain) {
                let Some(networks) = self.networks(&record) else {
                    continue;
                };
                let context = networks.context;
                // Widths are checked where a pretraining uses the loss; here only the modalities and views matter.
                let is_new = contexts
                    .iter()
                    .all(|(_, c)| (&c.modalities, c.views) != (&context.modalities, context.views));
                if is_new {
                    contexts.push((decl.name.value.clone(), context));
                }
            }
            if !contexts.is_empty() {
                return contexts;
            }
        }
        vec![]
    }

    fn claim(&mut self, module: usize, assert: &'a Assert, contexts: &[(String, Context)]) {
        let slot = Slot::new(&assert.claim, Env::of_module(module), "assert");
        let ExprKind::Compare(op, left, right) = &assert.claim.kind else {
            let message = "an assertion compares two values";
            let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, slot.span(), message)
                .help("write `assert a == b`");
            self.report(&slot.env, diagnostic);
            return;
        };
        let (left, right) = (slot.with(left), slot.with(right));
        let kind = self.record_kind(&left).or_else(|| self.record_kind(&right));
        let is_loss = kind.is_none() && (self.is_loss(&left) || self.is_loss(&right));
        if op.value != CompareOp::Equal && (kind.is_some() || is_loss) {
            let what = kind.map_or("a loss", catalog::kind_noun);
            let message = format!("{what} is equal to another one or not, and no less or more");
            let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, op.span, message)
                .help("write `==`")
                .edit(op.span, "==");
            self.report(&slot.env, diagnostic);
            return;
        }
        if let Some(kind) = kind {
            return self.claim_records(assert, &left, &right, kind);
        }
        if is_loss {
            for (name, context) in contexts {
                if !self.claim_losses(assert, &left, &right, name, context) {
                    return;
                }
            }
            return;
        }
        let wanted = Wanted::new("a number", &[Kind::Let], &[]);
        let (Some(a), Some(b)) = (
            self.arithmetic(&left, &wanted),
            self.arithmetic(&right, &wanted),
        ) else {
            return;
        };
        let holds = a.dimension == b.dimension
            && match op.value {
                CompareOp::Equal => a.value == b.value,
                CompareOp::AtMost => a.value <= b.value,
                CompareOp::AtLeast => a.value >= b.value,
                CompareOp::Less => a.value < b.value,
                CompareOp::Greater => a.value > b.value,
            };
        if !holds {
            self.failed(
                assert,
                vec![format!("the left side is {a}, the right side is {b}")],
            );
        }
    }

    fn failed(&mut self, assert: &'a Assert, notes: Vec<String>) {
        let source = assert
            .source
            .as_ref()
            .map_or(String::new(), |s| format!(": {}", s.value));
        let message = format!("the assertion does not hold{source}");
        let mut diagnostic = Diagnostic::error(codes::ASSERTION_FAILED, assert.claim.span, message)
            .here("not equal");
        for note in notes {
            diagnostic = diagnostic.note(note);
        }
        self.report(&Env::of_module(0), diagnostic);
    }

    /// The kind of the record that an expression names, if it names one: `k400`, `linear8 on UCF101`, `x with { ... }`.
    fn record_kind(&self, slot: &Slot<'a>) -> Option<Kind> {
        let mut base: &Expr = slot.expr;
        while let ExprKind::With(inner, _) | ExprKind::On(inner, _) = &base.kind {
            base = inner;
        }
        let name = name_of(base)?;
        let (_, decl) = self.declared(slot.env.module, name)?;
        Some(decl.kind.value).filter(|kind| matches!(kind, Kind::Pretrain | Kind::Eval))
    }

    /// Does an expression speak of losses?
    fn is_loss(&self, slot: &Slot<'a>) -> bool {
        let name_is_loss = |name: &str| match self.declared(slot.env.module, name) {
            Some((_, decl)) => decl.kind.value == Kind::Loss,
            None => {
                catalog::operator(Family::Term, name).is_some()
                    || catalog::operator(Family::Sum, name).is_some()
            }
        };
        let part = |expr: &'a Expr| self.is_loss(&slot.with(expr));
        if let Some(name) = name_of(slot.expr) {
            return name_is_loss(name) || self.modules.iter().any(|m| m.broken.contains(name));
        }
        if let ExprKind::Binary(_, a, b) = &slot.expr.kind {
            return part(a) || part(b);
        }
        if let ExprKind::Neg(inner) | ExprKind::Call(inner, _) | ExprKind::Comprehension(inner, _) =
            &slot.expr.kind
        {
            return part(inner);
        }
        false
    }

    fn claim_losses(
        &mut self,
        assert: &'a Assert,
        left: &Slot<'a>,
        right: &Slot<'a>,
        name: &str,
        context: &Context,
    ) -> bool {
        let (a, b) = (
            self.normal_form(left, context),
            self.normal_form(right, context),
        );
        let (Some(a), Some(b)) = (a, b) else {
            return false;
        };
        if a == b {
            return true;
        }
        let mut notes = differing_terms(&a, &b);
        notes.push(format!("in the modalities and views of `{name}`"));
        self.failed(assert, notes);
        false
    }

    fn claim_records(&mut self, assert: &'a Assert, left: &Slot<'a>, right: &Slot<'a>, kind: Kind) {
        let (Some(a), Some(b)) = (self.record(left, kind), self.record(right, kind)) else {
            return;
        };
        let (a, b) = (Rc::new(a), Rc::new(b));
        // What two assertions build on may be what is wrong with both: it is said once.
        let own: BTreeSet<_> = [&a, &b]
            .into_iter()
            .flat_map(|record| &record.declared)
            .copied()
            .collect();
        let own: BTreeSet<_> = own
            .into_iter()
            .filter(|(module, _)| !self.modules[*module].is_shipped)
            .collect();
        if own.iter().any(|declared| self.disputed.contains(declared)) {
            return;
        }
        let notes = if kind == Kind::Pretrain {
            let (a, b) = (self.pretrain(&a, &left.env), self.pretrain(&b, &right.env));
            let (Some(a), Some(b)) = (a, b) else { return };
            differing_fields(&a, &b, written::pretrain)
        } else {
            match [&a, &b].map(|record| record.entry("data").is_some()) {
                [true, true] => {}
                // Two protocols without data are compared on any set that has what they use.
                [false, false] => self.stand_in = Some(any_set()),
                [has, _] => {
                    let side = if has { "left" } else { "right" };
                    self.disputed.extend(own);
                    let note = format!("`data` is set on the {side} alone");
                    return self.failed(assert, vec![note]);
                }
            }
            let (a, b) = (self.eval(&a, &left.env), self.eval(&b, &right.env));
            self.stand_in = None;
            let (Some(a), Some(b)) = (a, b) else { return };
            let mut notes = vec![];
            if a.len() != b.len() {
                notes.push(format!(
                    "`score` counts {} numbers on the left, {} on the right",
                    a.len(),
                    b.len()
                ));
            }
            for ((_, a), (_, b)) in a.iter().zip(&b) {
                notes.extend(differing_fields(a, b, written::protocol));
            }
            notes
        };
        if !notes.is_empty() {
            self.disputed.extend(own);
            let mut seen = BTreeSet::new();
            let mut notes = notes;
            notes.retain(|note| seen.insert(note.clone()));
            notes.truncate(MOST_LINES);
            self.failed(assert, notes);
        }
    }
}

/// A set with every stream, of which nothing else matters.
fn any_set() -> Data {
    Data::Synthetic(Synthetic {
        clips: 1,
        classes: 1,
        length: Exact::whole(86_400),
        lag: Exact::whole(0),
        seed: 0,
        streams: vec!["v".to_owned(), "a".to_owned()],
        splits: 1,
    })
}

/// One line for each term whose weight differs.
fn differing_terms(a: &Loss, b: &Loss) -> Vec<String> {
    let terms: BTreeSet<_> = a
        .terms
        .iter()
        .chain(&b.terms)
        .map(|(term, _)| term)
        .collect();
    let differing: Vec<_> = terms
        .into_iter()
        .filter(|term| a.weight(term) != b.weight(term))
        .collect();
    let shown = |weight: Exact| {
        if weight == Exact::whole(0) {
            "absent".to_string()
        } else {
            weight.to_string()
        }
    };
    let mut lines: Vec<String> = differing
        .iter()
        .take(MOST_LINES)
        .map(|term| {
            format!(
                "{term}: {} on the left, {} on the right",
                shown(a.weight(term)),
                shown(b.weight(term))
            )
        })
        .collect();
    if differing.len() > MOST_LINES {
        lines.push(format!("and {} more terms", differing.len() - MOST_LINES));
    }
    lines
}

/// One line for each field whose value differs, as one would write it.
fn differing_fields<T: PartialEq + Serialize>(
    a: &T,
    b: &T,
    fields: impl Fn(&T) -> Vec<(String, String)>,
) -> Vec<String> {
    if a == b {
        return vec![];
    }
    let (left, right) = (fields(a), fields(b));
    let of = |side: &[(String, String)], path: &str| {
        let field = side.iter().find(|(known, _)| known == path);
        field.map_or_else(|| "not set".to_owned(), |(_, text)| text.clone())
    };
    let mut paths: Vec<&String> = left.iter().map(|(path, _)| path).collect();
    let own = |path: &&String| !left.iter().any(|(known, _)| known == *path);
    paths.extend(right.iter().map(|(path, _)| path).filter(own));
    let mut lines = vec![];
    for path in paths {
        let (x, y) = (of(&left, path), of(&right, path));
        if x != y {
            lines.push(format!("`{path}` is {x} on the left, {y} on the right"));
        }
    }
    if lines.is_empty() {
        // What is not written as a field of its own, such as what a data set is made of.
        let json = |value: &T| serde_json::to_string(value).unwrap_or_default();
        lines.push(format!("the left is {}, the right is {}", json(a), json(b)));
    }
    lines
}
