//! Where a file writes the terms of a loss and the sides of each, and the sign before a term: for messages that point at them.

use super::{Context, Value};
use crate::check::{Checker, Env, Slot};
use crate::loss::{Embedding, Term};
use grammar::ast::{BinaryOp, Body, Expr, ExprKind};
use grammar::span::{Span, Spanned};
use std::collections::{BTreeMap, BTreeSet};

/// What a loss was made of, in the order in which it was made, each with its place in a file of the user's: what a shipped module
/// makes is placed at its use.
#[derive(Default)]
pub(in crate::check) struct Places {
    terms: Vec<(Term, Span)>,
    embeddings: Vec<(Embedding, Span)>,
}

impl Places {
    /// Where some of the terms `wanted` are made, each in one place alone, and nothing else is.
    pub fn of_these_alone(&self, wanted: &[Term]) -> BTreeSet<Span> {
        let wanted: BTreeSet<&Term> = wanted.iter().collect();
        let others = self.terms.iter().filter(|(term, _)| !wanted.contains(term));
        let others: BTreeSet<Span> = others.map(|(_, place)| *place).collect();
        let mut of_term: BTreeMap<&Term, BTreeSet<Span>> = BTreeMap::new();
        let own = self.terms.iter().filter(|(_, at)| !others.contains(at));
        for (term, place) in own {
            of_term.entry(term).or_default().insert(*place);
        }
        let several: BTreeSet<Span> = of_term
            .values()
            .filter(|places| places.len() > 1)
            .flatten()
            .copied()
            .collect();
        let all = of_term.into_values().flatten();
        all.filter(|place| !several.contains(place)).collect()
    }

    /// Where some of the terms `wanted` are made, whatever else is made there.
    pub fn of_these(&self, wanted: &BTreeSet<&Term>) -> BTreeSet<Span> {
        let own = self.terms.iter().filter(|(term, _)| wanted.contains(term));
        own.map(|(_, place)| *place).collect()
    }

    /// Is nothing made within `whole` but at `these`?
    pub fn is_all_of(&self, whole: Span, these: &BTreeSet<Span>) -> bool {
        let mut within = self.terms.iter().filter(|(_, at)| whole.holds(*at));
        within.all(|(_, at)| these.contains(at))
    }

    /// Where the side `side` of a term is written: inside of what makes the term.
    pub fn of_side(&self, term: &Term, side: usize) -> BTreeSet<Span> {
        let of_term = self.terms.iter().filter(|(known, _)| known == term);
        let whole: BTreeSet<Span> = of_term.map(|(_, place)| *place).collect();
        let sides = self.embeddings.iter();
        sides
            .filter(|(known, _)| *known == term.args[side])
            .map(|(_, place)| *place)
            .filter(|place| whole.iter().any(|whole| whole.holds(*place)))
            .collect()
    }
}

/// A summand of a loss as written, and the sign before it.
#[derive(Clone, Copy)]
pub(in crate::check) struct Summand {
    /// From its own minus or its first factor to its last.
    pub place: Span,
    sign: Sign,
}

/// What stands before a summand.
#[derive(Clone, Copy)]
enum Sign {
    /// Nothing: it is the first.
    None,
    /// A `+` or `-` between it and what stands before it.
    Between(Span, BinaryOp),
    /// A minus of its own, which is a part of it.
    Minus(Span),
}

impl Summand {
    /// A minus stands before it.
    pub fn is_subtracted(&self) -> bool {
        matches!(self.sign, Sign::Minus(_) | Sign::Between(_, BinaryOp::Sub))
    }

    /// The edit that turns its sign, and what it reads like then; `text` is the summand as written.
    pub fn turned(&self, text: &str) -> ((Span, &'static str), String) {
        let start = Span {
            end: self.place.start,
            ..self.place
        };
        match self.sign {
            Sign::None => ((start, "-"), format!("-{text}")),
            Sign::Between(at, BinaryOp::Sub) => ((at, "+"), format!("+ {text}")),
            Sign::Between(at, BinaryOp::Add | BinaryOp::Mul | BinaryOp::Div) => {
                ((at, "-"), format!("- {text}"))
            }
            Sign::Minus(at) => {
                let (before, rest) = text.split_at((at.start - self.place.start) as usize);
                let rest = rest.strip_prefix('-').unwrap_or(rest).trim_start();
                ((at, ""), format!("{before}{rest}"))
            }
        }
    }
}

impl<'a> Checker<'a> {
    /// Where the parts of a loss without mistakes are written.
    pub(in crate::check) fn places_of(&mut self, slot: &Slot<'a>, context: &Context) -> Places {
        let before = self.found.len();
        self.places = Some(Places::default());
        drop(self.read_loss(slot, context));
        self.found.truncate(before);
        self.places.take().unwrap_or_default()
    }

    pub(super) fn place_term(&mut self, slot: &Slot<'a>, term: &Term) {
        let place = self.own_place(&slot.env, slot.span());
        if let (Some(places), Some(place)) = (&mut self.places, place) {
            places.terms.push((term.clone(), place));
        }
    }

    pub(super) fn place_value(&mut self, slot: &Slot<'a>, value: &Value<'a>) {
        if let (Some(places), Value::Tensor(tensor)) = (&mut self.places, value) {
            places.embeddings.push((tensor.clone(), slot.span()));
        }
    }

    /// The place itself, or where a shipped module was used that it lies in.
    fn own_place(&self, env: &Env<'a>, place: Span) -> Option<Span> {
        let uses = std::iter::successors(env.via.as_ref(), |via| via.outer.as_ref());
        let mut all = std::iter::once(place).chain(uses.map(|via| via.span));
        all.find(|place| !self.is_shipped(place.file))
    }

    /// The summands that the expression at `place` is in, the innermost first: of the loss itself, or of a declaration.
    pub(in crate::check) fn summands_at(&self, slot: &Slot<'a>, place: Span) -> Vec<Summand> {
        let mut found = vec![];
        if slot.span().holds(place) {
            in_sum(slot.expr, place, &mut found);
            return found;
        }
        let mut modules = (0..self.modules.len()).filter(|m| self.modules[*m].file == place.file);
        for decl in modules.next().into_iter().flat_map(|m| self.decls(m)) {
            if let Body::Expr(expr) = &decl.body {
                in_sum(expr, place, &mut found);
            }
        }
        found
    }
}

/// The summands at `place` in an expression that stands by itself, the innermost first.
fn in_sum(expr: &Expr, place: Span, found: &mut Vec<Summand>) {
    if !expr.span.holds(place) {
        return;
    }
    if let Some((op, left, right)) = sum(expr) {
        in_sum(left, place, found);
        if right.span.holds(place) {
            in_product(
                right,
                place,
                (right.span, Sign::Between(op.span, op.value)),
                found,
            );
        }
        return;
    }
    in_product(expr, place, (expr.span, Sign::None), found);
}

/// The same in a product, of which all factors but one are numbers. `whole`: the product that it is a part of, and what stands
/// before that.
fn in_product(expr: &Expr, place: Span, whole: (Span, Sign), found: &mut Vec<Summand>) {
    if !expr.span.holds(place) {
        return;
    }
    if expr.span != place {
        if let ExprKind::Neg(inner) = &expr.kind {
            return in_factor(
                inner,
                place,
                (whole.0, Sign::Minus(first_byte(expr))),
                found,
            );
        }
        if let Some((left, right)) = product(expr) {
            let whole = own_minus(left).map_or(whole, |minus| (whole.0, Sign::Minus(minus)));
            let factor = if left.span.holds(place) { left } else { right };
            return in_factor(factor, place, whole, found);
        }
        if let ExprKind::Call(_, args) = &expr.kind {
            for arg in args {
                in_sum(&arg.value, place, found);
            }
        }
        if let ExprKind::Comprehension(_, comprehension) = &expr.kind {
            in_sum(&comprehension.element, place, found);
        }
    }
    let (place, sign) = whole;
    found.push(Summand { place, sign });
}

/// A factor may be a sum in parentheses, with signs of its own.
fn in_factor(expr: &Expr, place: Span, whole: (Span, Sign), found: &mut Vec<Summand>) {
    if sum(expr).is_none() {
        return in_product(expr, place, whole, found);
    }
    in_sum(expr, place, found);
    let (place, sign) = whole;
    found.push(Summand { place, sign });
}

fn sum(expr: &Expr) -> Option<(&Spanned<BinaryOp>, &Expr, &Expr)> {
    if let ExprKind::Binary(op, left, right) = &expr.kind
        && matches!(op.value, BinaryOp::Add | BinaryOp::Sub)
    {
        return Some((op, left, right));
    }
    None
}

fn product(expr: &Expr) -> Option<(&Expr, &Expr)> {
    if let ExprKind::Binary(op, left, right) = &expr.kind
        && matches!(op.value, BinaryOp::Mul | BinaryOp::Div)
    {
        return Some((left, right));
    }
    None
}

/// The minus of `-1/2 * x`, which belongs to its first factor.
fn own_minus(expr: &Expr) -> Option<Span> {
    if let ExprKind::Neg(_) = &expr.kind {
        return Some(first_byte(expr));
    }
    own_minus(product(expr)?.0)
}

fn first_byte(expr: &Expr) -> Span {
    Span {
        end: expr.span.start + 1,
        ..expr.span
    }
}
