//! Losses: expansion over modalities and views, types of the operators, and the normal form.

mod calls;
mod known;
mod places;
mod ranges;
mod unused;

pub(super) use known::Known;
pub(super) use places::{Places, Summand};

use super::{Bound, Checker, Slot, Wanted, counted, named_call};
use crate::catalog::{self, Family};
use crate::codes;
use crate::loss::{Embedding, EmbeddingOp, Loss, Part};
use crate::units::{Dimension, Exact, Quantity, Unfit};
use grammar::ast::{BinaryOp, Body, Decl, ExprKind, Kind};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// What the pretraining that uses a loss says about it.
#[derive(Clone)]
pub(super) struct Context {
    /// Its modalities in order.
    pub modalities: Vec<String>,
    /// Where they are written.
    pub modalities_at: Option<Span>,
    /// Views of each modality.
    pub views: u32,
    /// Where they are written.
    pub views_at: Option<Span>,
    /// For each of `v.f`, `v.h`, ...: the group that owns the parameters and, where the network is right, its width.
    pub groups: BTreeMap<String, (String, Option<u32>)>,
    /// Where each of them is written.
    pub groups_at: BTreeMap<String, Span>,
    /// Predictors that only normalise: they have nothing to learn.
    pub fixed: BTreeSet<String>,
}

/// A value inside a loss.
#[derive(Clone)]
pub(super) enum Value<'a> {
    Number(Quantity),
    /// The normal form, and the place of the part as written.
    Loss(Loss, usize),
    /// A view, or something computed from one.
    Tensor(Embedding),
    Modality(String),
    /// The number of a view.
    Index(u32),
    Function(Function<'a>),
}

/// A function of a view or embedding.
#[derive(Clone)]
pub(super) enum Function<'a> {
    Declared(usize, &'a Decl),
    Operator(&'static str),
    Linear(u32),
    Ema(Rc<Function<'a>>, (Exact, Exact)),
    Memory(Rc<Function<'a>>, Exact),
}

const LOSS: Wanted<'_> = Wanted::new(
    "a loss",
    &[Kind::Loss, Kind::Let],
    &[Family::Term, Family::Tensor, Family::Sum],
);

impl<'a> Checker<'a> {
    /// The normal form of a loss in the context of a pretraining.
    pub(super) fn normal_form(&mut self, slot: &Slot<'a>, context: &Context) -> Option<Loss> {
        self.read_loss(slot, context).map(|(loss, _)| loss)
    }

    /// The normal form of a loss in the context of a pretraining, and the place of the whole among the parts as written.
    pub(super) fn read_loss(
        &mut self,
        slot: &Slot<'a>,
        context: &Context,
    ) -> Option<(Loss, usize)> {
        self.allow_steps();
        self.losses.open(context);
        self.parts.clear();
        let value = self.loss_value(slot, context);
        self.losses.close();
        let value = value?;
        let Value::Loss(loss, whole) = value else {
            let message = format!("`{}` takes a loss, this is {}", slot.place, value.noun());
            self.error(slot, codes::WRONG_KIND_OF_VALUE, message);
            return None;
        };
        Some((loss, whole))
    }

    /// Keeps a part of the loss that is being read: its place.
    pub(super) fn part(&mut self, part: Part) -> usize {
        self.parts.push(part);
        self.parts.len() - 1
    }

    pub(in crate::check) fn loss_value(
        &mut self,
        slot: &Slot<'a>,
        context: &Context,
    ) -> Option<Value<'a>> {
        let value = self.value_in_loss(slot, context)?;
        self.place_value(slot, &value);
        Some(value)
    }

    fn value_in_loss(&mut self, slot: &Slot<'a>, context: &Context) -> Option<Value<'a>> {
        self.step(slot)?;
        match &slot.expr.kind {
            ExprKind::Number(number) => {
                let Some(quantity) = Quantity::parse(&number.digits, number.unit.as_deref()) else {
                    self.error(
                        slot,
                        codes::TOO_LARGE,
                        "this number has more than 30 digits",
                    );
                    return None;
                };
                // With a unit it is read by what it is divided by, or is a mistake where it meets a loss.
                if quantity.dimension == Dimension::NUMBER {
                    let slot = Slot {
                        place: "loss".into(),
                        ..slot.clone()
                    };
                    self.fit(&slot, quantity, &catalog::ANY_NUMBER)?;
                }
                Some(Value::Number(quantity))
            }
            ExprKind::Name(name) => self.loss_name(slot, name, context),
            ExprKind::Neg(inner) => {
                let inner = self.loss_value(&slot.with(inner), context)?;
                self.multiply(slot, Value::number(Exact::whole(-1)), inner)
            }
            ExprKind::Binary(op, left, right) => {
                let left = self.loss_value(&slot.with(left), context);
                let right = self.loss_value(&slot.with(right), context);
                let (left, right) = (left?, right?);
                match op.value {
                    BinaryOp::Add => self.add(slot, left, right),
                    BinaryOp::Sub => {
                        let right = self.multiply(slot, Value::number(Exact::whole(-1)), right)?;
                        self.add(slot, left, right)
                    }
                    BinaryOp::Mul => self.multiply(slot, left, right),
                    BinaryOp::Div => {
                        let Value::Number(divisor) = right else {
                            return self.not_linear(
                                slot,
                                "losses can be added and scaled, not divided by one another",
                            );
                        };
                        let one = Quantity::number(Exact::whole(1));
                        let factor = match one.over(divisor) {
                            Ok(factor) => factor,
                            Err(Unfit::ZeroDivisor) => {
                                self.error(slot, codes::TOO_LARGE, "this divides by zero");
                                return None;
                            }
                            Err(Unfit::TooLarge | Unfit::Dimensions) => {
                                return self.exactly(slot, None);
                            }
                        };
                        self.multiply(slot, left, Value::Number(factor))
                    }
                }
            }
            ExprKind::Index(base, index) => self.view(slot, base, index, context),
            ExprKind::Call(callee, args) => self.loss_call(slot, callee, args, context),
            ExprKind::Comprehension(callee, comprehension) => {
                self.sum_over(slot, callee, comprehension, context)
            }
            ExprKind::Dims(..)
            | ExprKind::String(_)
            | ExprKind::List(_)
            | ExprKind::Tuple(_)
            | ExprKind::Compare(..)
            | ExprKind::Arrow(..)
            | ExprKind::On(..)
            | ExprKind::At(..)
            | ExprKind::With(..) => {
                self.wrong(slot, slot, &LOSS);
                None
            }
            ExprKind::Member(base, name) => match self.follow_member(slot, base, name)? {
                Some((expr, env)) => {
                    let followed = Slot {
                        expr,
                        env,
                        place: slot.place.clone(),
                    };
                    self.loss_value(&followed, context)
                }
                None => self.worked_out(slot, base, name).map(Value::Number),
            },
        }
    }

    pub(in crate::check) fn loss_name(
        &mut self,
        slot: &Slot<'a>,
        name: &'a str,
        context: &Context,
    ) -> Option<Value<'a>> {
        match slot.env.bound(name).cloned() {
            Some(Bound::Loss(value)) => return Some(value),
            Some(Bound::Unknown) => return None,
            Some(Bound::Expr(expr, env)) => {
                return self.loss_value(
                    &Slot {
                        expr,
                        env,
                        place: slot.place.clone(),
                    },
                    context,
                );
            }
            None => {}
        }
        if self.is_poisoned(slot.env.module, name) {
            return None;
        }
        if let Some((module, decl)) = self.declared(slot.env.module, name) {
            return match (decl.kind.value, &decl.body) {
                (Kind::Modality, _) if context.modalities.iter().any(|m| m == name) => {
                    Some(Value::Modality(name.into()))
                }
                (Kind::Modality, _) => {
                    self.missing_modality(slot, name, context);
                    None
                }
                (Kind::Loss | Kind::Let, Body::Expr(_)) if !decl.params.is_empty() => {
                    Some(Value::Function(Function::Declared(module, decl)))
                }
                (Kind::Loss | Kind::Let, Body::Expr(expr)) => {
                    self.loss_of_name(slot, module, (decl, expr), context)
                }
                _ => {
                    self.wrong(slot, slot, &LOSS);
                    None
                }
            };
        }
        if let Some(operator) = catalog::operator(Family::Tensor, name)
            .filter(|o| o.parameters.len() == 1 && !o.is_later)
        {
            return Some(Value::Function(Function::Operator(operator.name)));
        }
        match slot
            .env
            .record
            .as_ref()
            .and_then(|r| Some((r.clone(), r.entry(name)?)))
        {
            Some((record, entry)) if name != "loss" => {
                let env = record.env_of(entry);
                self.loss_value(
                    &Slot {
                        expr: entry.value,
                        env,
                        place: slot.place.clone(),
                    },
                    context,
                )
            }
            _ => {
                self.wrong(slot, slot, &LOSS);
                None
            }
        }
    }

    /// `name` is a modality that the run does not have.
    pub(in crate::check) fn missing_modality(
        &mut self,
        slot: &Slot<'a>,
        name: &str,
        context: &Context,
    ) {
        let noun = self.stream_noun(slot.env.module, name);
        let mut modalities = context.modalities.clone();
        modalities.push(name.to_string());
        let diagnostic = Diagnostic::error(
            codes::NEEDS_MODALITY,
            slot.span(),
            format!("this loss needs {noun}, but the run has no {noun}"),
        );
        let diagnostic = self.only_trained(diagnostic, context).help(format!(
            "drop the term, or write `modalities = [{}]`",
            modalities.join(", ")
        ));
        self.report(&slot.env, diagnostic);
    }

    pub(in crate::check) fn only_trained(
        &self,
        diagnostic: Diagnostic,
        context: &Context,
    ) -> Diagnostic {
        let list: Vec<String> = context
            .modalities
            .iter()
            .map(|m| format!("`{m}`"))
            .collect();
        let text = format!("only {} is trained here", list.join(", "));
        match context.modalities_at {
            Some(span) => diagnostic.label(span, text),
            None => diagnostic.note(text),
        }
    }

    /// `video`, `audio`, or the modality's name.
    pub(in crate::check) fn stream_noun(&self, module: usize, name: &str) -> String {
        if let Some((_, decl)) = self.declared(module, name)
            && let Body::Expr(expr) = &decl.body
            && let Some((operator, _)) = named_call(expr)
        {
            return operator.to_string();
        }
        format!("`{name}`")
    }

    pub(in crate::check) fn not_linear(
        &mut self,
        slot: &Slot<'a>,
        message: &str,
    ) -> Option<Value<'a>> {
        let diagnostic = Diagnostic::error(codes::NOT_LINEAR, slot.span(), message)
            .note("a loss is a weighted sum of terms, so that two losses can be compared (`1/2 * intra + sync`)");
        self.report(&slot.env, diagnostic);
        None
    }

    pub(in crate::check) fn add(
        &mut self,
        slot: &Slot<'a>,
        left: Value<'a>,
        right: Value<'a>,
    ) -> Option<Value<'a>> {
        let sum = match (&left, &right) {
            (Value::Number(a), Value::Number(b)) => {
                return self.combine(slot, BinaryOp::Add, *a, *b).map(Value::Number);
            }
            (Value::Loss(a, first), Value::Loss(b, second)) => {
                let one = Exact::whole(1);
                let part = self.part(Part::Sum(vec![(one, *first), (one, *second)]));
                a.plus(b).map(|sum| Value::Loss(sum, part))
            }
            _ => {
                let message = format!(
                    "{} and {} do not add; losses add to losses",
                    left.noun(),
                    right.noun()
                );
                return self.not_linear(slot, &message);
            }
        };
        if sum.is_none() {
            self.error(
                slot,
                codes::TOO_LARGE,
                "a weight here needs more than 30 digits",
            );
        }
        sum
    }

    pub(in crate::check) fn multiply(
        &mut self,
        slot: &Slot<'a>,
        left: Value<'a>,
        right: Value<'a>,
    ) -> Option<Value<'a>> {
        if let (Value::Number(a), Value::Number(b)) = (&left, &right) {
            return self.combine(slot, BinaryOp::Mul, *a, *b).map(Value::Number);
        }
        let (left, right) = (self.plain(slot, left)?, self.plain(slot, right)?);
        let product = match (left, right) {
            (Value::Number(a), Value::Loss(l, part)) | (Value::Loss(l, part), Value::Number(a)) => {
                let part = self.part(Part::Sum(vec![(a.value, part)]));
                l.scaled(a.value).map(|scaled| Value::Loss(scaled, part))
            }
            (Value::Number(a), Value::Tensor(t)) | (Value::Tensor(t), Value::Number(a)) => {
                let tensor = self.embedding(slot, Value::Tensor(t))?;
                Some(Value::Tensor(Embedding::Apply(
                    EmbeddingOp::Scale(a.value),
                    Box::new(tensor),
                )))
            }
            (Value::Loss(..), Value::Loss(..)) => {
                return self.not_linear(slot, "losses can be added and scaled, not multiplied");
            }
            (left, right) => {
                let message = format!("{} and {} do not multiply", left.noun(), right.noun());
                return self.not_linear(slot, &message);
            }
        };
        if product.is_none() {
            self.error(
                slot,
                codes::TOO_LARGE,
                "a weight here needs more than 30 digits",
            );
        }
        product
    }

    /// A factor has no unit.
    fn plain(&mut self, slot: &Slot<'a>, value: Value<'a>) -> Option<Value<'a>> {
        let Value::Number(quantity) = value else {
            return Some(value);
        };
        let slot = Slot {
            place: "loss".into(),
            ..slot.clone()
        };
        let factor = self.fit(&slot, quantity, &catalog::ANY_NUMBER)?;
        Some(Value::number(factor))
    }

    /// The name, if nothing is called so here: no parameter, no declaration and no field.
    fn means_nothing(&self, slot: &Slot<'a>) -> Option<&'a str> {
        let ExprKind::Name(name) = &slot.expr.kind else {
            return None;
        };
        let env = &slot.env;
        let is_field = env
            .record
            .as_ref()
            .is_some_and(|record| record.entry(name).is_some());
        let means = is_field
            || env.bound(name).is_some()
            || self.declared(env.module, name).is_some()
            || self.is_poisoned(env.module, name);
        (!means).then_some(name)
    }

    /// `v[1]`.
    pub(in crate::check) fn view(
        &mut self,
        slot: &Slot<'a>,
        base: &'a grammar::ast::Expr,
        index: &'a grammar::ast::Expr,
        context: &Context,
    ) -> Option<Value<'a>> {
        let (at, number) = (slot.with(base), slot.with(index));
        let base_value = match self.means_nothing(&at) {
            Some(name) => {
                self.unknown_modality(&at, name);
                None
            }
            None => self.loss_value(&at, context),
        };
        let index_value = match self.means_nothing(&number) {
            Some(name) => {
                self.unknown_view(&number, name);
                None
            }
            None => self.loss_value(&number, context),
        };
        let (base_value, index_value) = (base_value?, index_value?);
        let Value::Modality(modality) = base_value else {
            let message = format!("only a modality has views, this is {}", base_value.noun());
            let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, base.span, message)
                .help("write `v[1]`");
            self.report(&slot.env, diagnostic);
            return None;
        };
        let view = if let Value::Number(number) = index_value {
            let is_plain = number.dimension == Dimension::NUMBER;
            number.value.to_u32().filter(|_| is_plain)
        } else if let Value::Index(view) = index_value {
            Some(view)
        } else {
            None
        };
        let Some(view) = view.filter(|view| (1..=context.views).contains(view)) else {
            let verb = if context.views == 1 { "is" } else { "are" };
            let message = format!(
                "there {verb} {}, numbered from 1",
                counted(context.views as usize, "view")
            );
            let mut diagnostic = Diagnostic::error(codes::NO_SUCH_VIEW, index.span, message);
            if let Some(at) = context.views_at {
                diagnostic = diagnostic.label(
                    at,
                    format!("{} here", counted(context.views as usize, "view")),
                );
            }
            self.report(&slot.env, diagnostic);
            return None;
        };
        Some(Value::Tensor(Embedding::View { modality, view }))
    }
}

impl Value<'_> {
    /// A number without a unit.
    pub(in crate::check) fn number(value: Exact) -> Self {
        Value::Number(Quantity::number(value))
    }

    /// What it is, for messages.
    pub(in crate::check) fn noun(&self) -> &'static str {
        match self {
            Value::Number(_) => "a number",
            Value::Loss(..) => "a loss",
            Value::Tensor(Embedding::View { .. }) => "a view",
            Value::Tensor(Embedding::Apply(..)) => "an embedding",
            Value::Modality(_) => "a modality",
            Value::Index(_) => "the number of a view",
            Value::Function(_) => "a function",
        }
    }
}
