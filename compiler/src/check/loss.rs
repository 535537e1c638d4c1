//! Losses: expansion over modalities and views, types of the operators, and the normal form.

use super::{Bound, Checker, Env, Slot, Wanted, counted};
use crate::catalog::{self, Family};
use crate::codes;
use crate::hir::Schedule;
use crate::loss::{Embedding, EmbeddingOp, Loss, Term, TermOp};
use crate::units::{Exact, Quantity};
use grammar::ast::{
    Arg, BinaryOp, Binder, Body, Comprehension, Decl, ExprKind, Kind, PairRelation,
};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What the pretraining that uses a loss says about it.
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
}

/// A value inside a loss.
#[derive(Clone)]
pub(super) enum Value<'a> {
    Number(Exact),
    Loss(Loss),
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
        self.budget = super::MOST_STEPS;
        let value = self.loss_value(slot, context)?;
        match value {
            Value::Loss(loss) => Some(loss),
            other => {
                let message = format!("`{}` takes a loss, this is {}", slot.place, other.noun());
                self.error(slot, codes::WRONG_KIND_OF_VALUE, message);
                None
            }
        }
    }

    fn loss_value(&mut self, slot: &Slot<'a>, context: &Context) -> Option<Value<'a>> {
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
                let slot = Slot {
                    place: "loss".into(),
                    ..slot.clone()
                };
                self.fit(&slot, quantity, &catalog::ANY_NUMBER)
                    .map(Value::Number)
            }
            ExprKind::Name(name) => self.loss_name(slot, name, context),
            ExprKind::Neg(inner) => {
                let inner = self.loss_value(&slot.with(inner), context)?;
                self.multiply(slot, Value::Number(Exact::whole(-1)), inner)
            }
            ExprKind::Binary(op, left, right) => {
                let left = self.loss_value(&slot.with(left), context);
                let right = self.loss_value(&slot.with(right), context);
                let (left, right) = (left?, right?);
                match op.value {
                    BinaryOp::Add => self.add(slot, left, right),
                    BinaryOp::Sub => {
                        let right = self.multiply(slot, Value::Number(Exact::whole(-1)), right)?;
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
                        let Some(factor) = Exact::whole(1).over(divisor) else {
                            self.error(slot, codes::TOO_LARGE, "this divides by zero");
                            return None;
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
            | ExprKind::With(..)
            | ExprKind::Member(..) => {
                self.wrong(slot, slot, &LOSS);
                None
            }
        }
    }

    fn loss_name(
        &mut self,
        slot: &Slot<'a>,
        name: &'a str,
        context: &Context,
    ) -> Option<Value<'a>> {
        match slot.env.bound(name).cloned() {
            Some(Bound::Loss(value)) => return Some(value),
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
                    let env = Env {
                        via: slot.env.used_at(slot.span()).via,
                        ..Env::of_module(module)
                    };
                    self.loss_value(
                        &Slot {
                            expr,
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
    fn missing_modality(&mut self, slot: &Slot<'a>, name: &str, context: &Context) {
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

    fn only_trained(&self, diagnostic: Diagnostic, context: &Context) -> Diagnostic {
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
    fn stream_noun(&self, module: usize, name: &str) -> String {
        let body = self.declared(module, name).map(|(_, decl)| &decl.body);
        match body {
            Some(Body::Expr(expr)) => match &expr.kind {
                ExprKind::Call(callee, _) => match &callee.kind {
                    ExprKind::Name(operator) => operator.clone(),
                    _ => format!("`{name}`"),
                },
                _ => format!("`{name}`"),
            },
            Some(Body::Block(_)) | None => format!("`{name}`"),
        }
    }

    fn not_linear(&mut self, slot: &Slot<'a>, message: &str) -> Option<Value<'a>> {
        let diagnostic = Diagnostic::error(codes::NOT_LINEAR, slot.span(), message)
            .note("a loss is a weighted sum of terms, so that two losses can be compared (`1/2 * intra + sync`)");
        self.report(&slot.env, diagnostic);
        None
    }

    fn add(&mut self, slot: &Slot<'a>, left: Value<'a>, right: Value<'a>) -> Option<Value<'a>> {
        let sum = match (&left, &right) {
            (Value::Number(a), Value::Number(b)) => a.plus(*b).map(Value::Number),
            (Value::Loss(a), Value::Loss(b)) => a.plus(b).map(Value::Loss),
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

    fn multiply(
        &mut self,
        slot: &Slot<'a>,
        left: Value<'a>,
        right: Value<'a>,
    ) -> Option<Value<'a>> {
        let product = match (left, right) {
            (Value::Number(a), Value::Number(b)) => a.times(b).map(Value::Number),
            (Value::Number(a), Value::Loss(l)) | (Value::Loss(l), Value::Number(a)) => {
                l.scaled(a).map(Value::Loss)
            }
            (Value::Number(a), Value::Tensor(t)) | (Value::Tensor(t), Value::Number(a)) => {
                let tensor = self.embedding(slot, Value::Tensor(t))?;
                Some(Value::Tensor(Embedding::Apply(
                    EmbeddingOp::Scale(a),
                    Box::new(tensor),
                )))
            }
            (Value::Loss(_), Value::Loss(_)) => {
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

    /// `v[1]`.
    fn view(
        &mut self,
        slot: &Slot<'a>,
        base: &'a grammar::ast::Expr,
        index: &'a grammar::ast::Expr,
        context: &Context,
    ) -> Option<Value<'a>> {
        let base_value = self.loss_value(&slot.with(base), context);
        let index_value = self.loss_value(&slot.with(index), context);
        let (base_value, index_value) = (base_value?, index_value?);
        let Value::Modality(modality) = base_value else {
            let message = format!("only a modality has views, this is {}", base_value.noun());
            let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, base.span, message)
                .help("write `v[1]`");
            self.report(&slot.env, diagnostic);
            return None;
        };
        let view = match index_value {
            Value::Index(view) => Some(view),
            Value::Number(number) => number.to_u32(),
            _ => None,
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

    fn loss_call(
        &mut self,
        slot: &Slot<'a>,
        callee: &'a grammar::ast::Expr,
        args: &'a [Arg],
        context: &Context,
    ) -> Option<Value<'a>> {
        if let ExprKind::Name(name) = &callee.kind
            && slot.env.bound(name).is_none()
        {
            let declared = self.declared(slot.env.module, name);
            if let Some((module, decl)) = declared.filter(|(_, decl)| !decl.params.is_empty()) {
                if self.is_poisoned(slot.env.module, name) {
                    return None;
                }
                let args = self.match_params(slot, name, decl, args)?;
                let values: Vec<_> = args
                    .into_iter()
                    .map(|arg| self.loss_value(&slot.with(arg), context))
                    .collect();
                let values: Vec<Value<'a>> = values.into_iter().collect::<Option<_>>()?;
                return self.call_declared(slot, module, decl, values, context);
            }
            if declared.is_none_or(|(_, decl)| !matches!(decl.kind.value, Kind::Loss | Kind::Let))
                && !self.is_poisoned(slot.env.module, name)
            {
                return self.loss_operator(slot, context);
            }
        }
        let function = self.loss_value(&slot.with(callee), context)?;
        let Value::Function(function) = function else {
            let message = format!("{} takes no arguments", function.noun());
            self.error(&slot.with(callee), codes::WRONG_ARGUMENTS, message);
            return None;
        };
        let [arg] = args else {
            self.error(
                slot,
                codes::WRONG_ARGUMENTS,
                format!(
                    "this takes 1 argument, a view or an embedding, and is given {}",
                    args.len()
                ),
            );
            return None;
        };
        let value = self.loss_value(&slot.with(&arg.value), context)?;
        self.apply(slot, &function, value, context)
    }

    fn call_declared(
        &mut self,
        slot: &Slot<'a>,
        module: usize,
        decl: &'a Decl,
        values: Vec<Value<'a>>,
        context: &Context,
    ) -> Option<Value<'a>> {
        let Body::Expr(body) = &decl.body else {
            return None;
        };
        let mut env = Env {
            via: slot.env.used_at(slot.span()).via,
            ..Env::of_module(module)
        };
        for (param, value) in decl.params.iter().zip(values) {
            env = env.bind(&param.value, Bound::Loss(value));
        }
        self.loss_value(
            &Slot {
                expr: body,
                env,
                place: slot.place.clone(),
            },
            context,
        )
    }

    /// An operator of the language: a term, a tensor or a sum.
    fn loss_operator(&mut self, slot: &Slot<'a>, context: &Context) -> Option<Value<'a>> {
        for family in [Family::Term, Family::Tensor, Family::Sum] {
            let Some(call) = self.operator_call(slot, family).ok()? else {
                continue;
            };
            let mut arg = |name: &str| -> Option<Value<'a>> {
                let slot = call.get(name)?.clone();
                self.loss_value(&slot, context)
            };
            match (family, call.operator.name) {
                (Family::Sum, name) => {
                    let value = arg("of")?;
                    let Value::Loss(loss) = value else {
                        let message = format!("`{name}` takes a loss, this is {}", value.noun());
                        self.error(slot, codes::WRONG_KIND_OF_VALUE, message);
                        return None;
                    };
                    let loss = if name == "unit" {
                        loss.unit()
                    } else {
                        Some(loss)
                    };
                    return loss.map(Value::Loss);
                }
                (Family::Tensor, "linear") => {
                    return self
                        .whole_of(&call, "width")
                        .map(|width| Value::Function(Function::Linear(width)));
                }
                (Family::Tensor, "ema") => {
                    let function = self.function(call.get("of")?, context);
                    let decay = match self.schedule(call.get("decay")?)? {
                        Schedule::Constant(decay) => (decay, decay),
                        Schedule::Cosine { from, to, .. } => (from, to),
                        Schedule::Multistep { .. } => {
                            let at = call.get("decay")?.clone();
                            self.error(
                                &at,
                                codes::WRONG_KIND_OF_VALUE,
                                "`decay` takes a number or `cosine(0.99 -> 1)`",
                            );
                            return None;
                        }
                    };
                    return Some(Value::Function(Function::Ema(Rc::new(function?), decay)));
                }
                (Family::Tensor, "memory") => {
                    let function = self.function(call.get("of")?, context);
                    let momentum = self.number_of(&call, "momentum");
                    return Some(Value::Function(Function::Memory(
                        Rc::new(function?),
                        momentum?,
                    )));
                }
                (Family::Tensor, "sinkhorn") => {
                    let tensor = arg("x");
                    let eps = self.number_of(&call, "eps");
                    let tensor = self.embedding(call.get("x")?, tensor?)?;
                    return Some(Value::Tensor(Embedding::Apply(
                        EmbeddingOp::Sinkhorn { eps: eps? },
                        Box::new(tensor),
                    )));
                }
                (Family::Tensor, name) => {
                    let value = arg("x")?;
                    return self.apply(slot, &Function::Operator(name), value, context);
                }
                (_, name) => {
                    let x = arg("x");
                    let y = if call.operator.parameters.iter().any(|p| p.name == "y") {
                        Some(arg("y"))
                    } else {
                        None
                    };
                    let x = self.embedding(call.get("x")?, x?);
                    let mut args = vec![x?];
                    if let Some(y) = y {
                        args.push(self.embedding(call.get("y")?, y?)?);
                        self.same_width(slot, &args, context)?;
                    }
                    let op = match name {
                        "cos" => TermOp::Cos,
                        "mse" => TermOp::Mse,
                        "dot" => TermOp::Dot,
                        "xent" => TermOp::Xent,
                        "hinge_std" => TermOp::HingeStd,
                        "cov" => TermOp::Cov,
                        _ => TermOp::InfoNce {
                            t: self.number_of(&call, "t")?,
                        },
                    };
                    return Some(Value::Loss(Loss::of(Term::new(op, args))));
                }
            }
        }
        self.wrong(slot, slot, &LOSS);
        None
    }

    fn function(&mut self, slot: &Slot<'a>, context: &Context) -> Option<Function<'a>> {
        match self.loss_value(slot, context)? {
            Value::Function(function) => Some(function),
            other => {
                let message = format!(
                    "`{}` takes a function of a view, this is {}",
                    slot.place,
                    other.noun()
                );
                let diagnostic =
                    Diagnostic::error(codes::WRONG_KIND_OF_VALUE, slot.span(), message)
                        .help("write `ema(z, ...)`");
                self.report(&slot.env, diagnostic);
                None
            }
        }
    }

    fn apply(
        &mut self,
        slot: &Slot<'a>,
        function: &Function<'a>,
        value: Value<'a>,
        context: &Context,
    ) -> Option<Value<'a>> {
        let wrap = |op, tensor| Some(Value::Tensor(Embedding::Apply(op, Box::new(tensor))));
        match function {
            Function::Declared(module, decl) => {
                if decl.params.len() != 1 {
                    let message = format!(
                        "`{}` takes {}",
                        decl.name.value,
                        counted(decl.params.len(), "argument")
                    );
                    self.error(slot, codes::WRONG_ARGUMENTS, message);
                    return None;
                }
                self.call_declared(slot, *module, decl, vec![value], context)
            }
            Function::Operator("f") => {
                let Value::Tensor(view @ Embedding::View { .. }) = value else {
                    let message = format!("`f` takes a view, this is {}", value.noun());
                    let diagnostic =
                        Diagnostic::error(codes::WRONG_KIND_OF_VALUE, slot.span(), message)
                            .help("write `f(v[1])`");
                    self.report(&slot.env, diagnostic);
                    return None;
                };
                let group = context
                    .groups
                    .get(&format!("{}.f", view.view().0))?
                    .0
                    .clone();
                wrap(EmbeddingOp::Encode(group), view)
            }
            Function::Operator("h") => {
                let tensor = self.embedding(slot, value)?;
                let (modality, _) = tensor.view();
                let Some((group, _)) = context.groups.get(&format!("{modality}.h")).cloned() else {
                    let message =
                        format!("modality `{modality}` has no predictor, and this loss needs one");
                    let diagnostic = Diagnostic::error(codes::NO_PREDICTOR, slot.span(), message)
                        .help(format!("set `{modality}.h = pred` in the pretraining"));
                    self.report(&slot.env, diagnostic);
                    return None;
                };
                wrap(EmbeddingOp::Predict(group), tensor)
            }
            Function::Operator(name) => {
                let tensor = self.embedding(slot, value)?;
                wrap(
                    if *name == "sg" {
                        EmbeddingOp::StopGradient
                    } else {
                        EmbeddingOp::L2
                    },
                    tensor,
                )
            }
            Function::Linear(width) => {
                let tensor = self.embedding(slot, value)?;
                wrap(EmbeddingOp::Linear(*width), tensor)
            }
            Function::Ema(inner, decay) => {
                let inner = self.apply(slot, inner, value, context)?;
                let tensor = self.embedding(slot, inner)?;
                Some(Value::Tensor(averaged(tensor, *decay)))
            }
            Function::Memory(inner, momentum) => {
                let inner = self.apply(slot, inner, value, context)?;
                let tensor = self.embedding(slot, inner)?;
                wrap(
                    EmbeddingOp::Memory {
                        momentum: *momentum,
                    },
                    tensor,
                )
            }
        }
    }

    /// A tensor that a network has made: a view is none.
    fn embedding(&mut self, slot: &Slot<'a>, value: Value<'a>) -> Option<Embedding> {
        match value {
            Value::Tensor(tensor @ Embedding::Apply(..)) => Some(tensor),
            Value::Tensor(Embedding::View { modality, view }) => {
                let written = self.sources.text(slot.span());
                let is_view = matches!(slot.expr.kind, ExprKind::Index(..));
                let fixed = if is_view {
                    format!("z({written})")
                } else {
                    format!("z({modality}[{view}])")
                };
                let mut diagnostic = Diagnostic::error(
                    codes::NOT_AN_EMBEDDING,
                    slot.span(),
                    "a view is not an embedding",
                )
                .help(format!("write `{fixed}`"));
                if is_view {
                    diagnostic = diagnostic.edit(slot.span(), fixed);
                }
                self.report(&slot.env, diagnostic);
                None
            }
            other => {
                let message = format!("this takes an embedding, not {}", other.noun());
                let diagnostic =
                    Diagnostic::error(codes::WRONG_KIND_OF_VALUE, slot.span(), message)
                        .help("write `z(v[1])`");
                self.report(&slot.env, diagnostic);
                None
            }
        }
    }

    fn same_width(&mut self, slot: &Slot<'a>, args: &[Embedding], context: &Context) -> Option<()> {
        let widths: Vec<Option<(String, u32)>> =
            args.iter().map(|arg| width(arg, context)).collect();
        let [Some((first, a)), Some((second, b))] = widths.as_slice() else {
            return Some(());
        };
        if a == b {
            return Some(());
        }
        let message = format!("widths differ: {first} ends in {a}, {second} in {b}");
        let diagnostic = Diagnostic::error(codes::WIDTHS_DIFFER, slot.span(), message)
            .help("give both networks a last layer of the same width");
        self.report(&slot.env, diagnostic);
        None
    }

    /// `sum(element for m < n in modalities, i in views)` and the same with `mean`.
    fn sum_over(
        &mut self,
        slot: &Slot<'a>,
        callee: &'a grammar::ast::Expr,
        comprehension: &'a Comprehension,
        context: &Context,
    ) -> Option<Value<'a>> {
        let name = match &callee.kind {
            ExprKind::Name(name) if matches!(name.as_str(), "sum" | "mean") => name.as_str(),
            _ => {
                let diagnostic = Diagnostic::error(
                    codes::UNKNOWN_NAME,
                    callee.span,
                    "only `sum` and `mean` range over values",
                );
                self.report(&slot.env, diagnostic);
                return None;
            }
        };
        let mut envs = vec![slot.env.clone()];
        for binder in &comprehension.binders {
            let mut next = vec![];
            for env in &envs {
                next.extend(self.bindings(
                    &Slot {
                        env: env.clone(),
                        ..slot.clone()
                    },
                    binder,
                    context,
                )?);
            }
            if next.len() > 10_000 {
                self.error(
                    slot,
                    codes::NOTHING_TO_MINIMISE,
                    "this loss has too many terms to expand",
                );
                return None;
            }
            envs = next;
        }
        let count = envs.len();
        let mut total: Option<Value<'a>> = None;
        for env in envs {
            let element = Slot {
                expr: &comprehension.element,
                env,
                place: slot.place.clone(),
            };
            let value = self.loss_value(&element, context)?;
            if !matches!(value, Value::Loss(_)) {
                let message = format!("`{name}` adds losses, this is {}", value.noun());
                self.error(&element, codes::WRONG_KIND_OF_VALUE, message);
                return None;
            }
            total = Some(match total {
                None => value,
                Some(sum) => self.add(slot, sum, value)?,
            });
        }
        let total = total?;
        if name == "sum" {
            return Some(total);
        }
        self.multiply(
            slot,
            Value::Number(Exact::new(1, i128::try_from(count).ok()?)),
            total,
        )
    }

    /// The environments that one binder makes out of one. An empty range is a mistake: the term would silently vanish.
    fn bindings(
        &mut self,
        slot: &Slot<'a>,
        binder: &'a Binder,
        context: &Context,
    ) -> Option<Vec<Env<'a>>> {
        let values_slot = slot.with(&binder.values);
        let (values, is_modalities): (Vec<Value<'a>>, bool) =
            match (&binder.values.kind, values_slot.word()) {
                (_, Some("modalities")) => (
                    context
                        .modalities
                        .iter()
                        .cloned()
                        .map(Value::Modality)
                        .collect(),
                    true,
                ),
                (_, Some("views")) => ((1..=context.views).map(Value::Index).collect(), false),
                (ExprKind::List(members), _) => {
                    let read: Vec<_> = members
                        .iter()
                        .map(|m| self.loss_value(&slot.with(m), context))
                        .collect();
                    (read.into_iter().collect::<Option<_>>()?, false)
                }
                _ => {
                    let wanted = Wanted {
                        noun: "`modalities`, `views` or a list",
                        words: &["modalities", "views"],
                        ..LOSS
                    };
                    self.wrong(&values_slot, &values_slot, &wanted);
                    return None;
                }
            };
        let mut envs = vec![];
        for (i, value) in values.iter().enumerate() {
            let env = slot
                .env
                .bind(&binder.first.value, Bound::Loss(value.clone()));
            let Some((relation, second)) = &binder.second else {
                envs.push(env);
                continue;
            };
            for (j, other) in values.iter().enumerate() {
                let is_taken = match relation {
                    PairRelation::Before => i < j,
                    PairRelation::Different => i != j,
                };
                if is_taken {
                    envs.push(env.bind(&second.value, Bound::Loss(other.clone())));
                }
            }
        }
        if envs.is_empty() {
            self.empty_range(slot, binder, is_modalities, context);
            return None;
        }
        Some(envs)
    }

    fn empty_range(
        &mut self,
        slot: &Slot<'a>,
        binder: &'a Binder,
        is_modalities: bool,
        context: &Context,
    ) {
        let user = slot
            .env
            .via
            .as_ref()
            .map(|via| self.sources.text(via.span).to_string());
        let term = user
            .filter(|text| text.len() < 40)
            .unwrap_or_else(|| "this".into());
        let diagnostic = if is_modalities {
            let others: Vec<&str> = self.names[slot.env.module]
                .iter()
                .filter(|(name, (_, d))| {
                    d.kind.value == Kind::Modality && !context.modalities.iter().any(|m| m == *name)
                })
                .map(|(name, _)| *name)
                .collect();
            let noun = match others.as_slice() {
                [one] => self.stream_noun(slot.env.module, one),
                _ => "a second modality".to_string(),
            };
            let absent = noun.strip_prefix("a ").unwrap_or(&noun);
            let message = format!("this loss needs {noun}, but the run has no {absent}");
            let mut modalities = context.modalities.clone();
            modalities.extend(others.first().map(|s| s.to_string()));
            let diagnostic = Diagnostic::error(codes::NEEDS_MODALITY, binder.span, message).here(
                format!("`{term}` pairs two modalities; with one it is an empty sum"),
            );
            self.only_trained(diagnostic, context).help(format!(
                "drop `{term}`, or write `modalities = [{}]`",
                modalities.join(", ")
            ))
        } else {
            let views = counted(context.views as usize, "view");
            let message =
                format!("this loss needs two views of a modality, but the run has {views}");
            let mut diagnostic = Diagnostic::error(codes::NO_SUCH_VIEW, binder.span, message)
                .here(format!(
                    "`{term}` pairs two views; with one it is an empty sum"
                ))
                .help(format!("drop `{term}`, or write `views = 2`"));
            if let Some(at) = context.views_at {
                diagnostic = diagnostic.label(at, format!("{views} here"));
            }
            diagnostic
        };
        self.report(&slot.env, diagnostic);
    }
}

impl Value<'_> {
    /// What it is, for messages.
    fn noun(&self) -> &'static str {
        match self {
            Value::Number(_) => "a number",
            Value::Loss(_) => "a loss",
            Value::Tensor(Embedding::View { .. }) => "a view",
            Value::Tensor(Embedding::Apply(..)) => "an embedding",
            Value::Modality(_) => "a modality",
            Value::Index(_) => "the number of a view",
            Value::Function(_) => "a function",
        }
    }
}

/// The embedding with every network replaced by its moving average.
fn averaged(embedding: Embedding, decay: (Exact, Exact)) -> Embedding {
    match embedding {
        Embedding::View { .. } => embedding,
        Embedding::Apply(op, inner) => {
            let inner = Box::new(averaged(*inner, decay));
            match op {
                EmbeddingOp::Encode(group) | EmbeddingOp::Predict(group) => {
                    Embedding::Apply(EmbeddingOp::Ema { group, decay }, inner)
                }
                other => Embedding::Apply(other, inner),
            }
        }
    }
}

/// The width of an embedding and the group that decides it, where it is known.
fn width(embedding: &Embedding, context: &Context) -> Option<(String, u32)> {
    let Embedding::Apply(op, inner) = embedding else {
        return None;
    };
    match op {
        EmbeddingOp::Encode(group)
        | EmbeddingOp::Predict(group)
        | EmbeddingOp::Ema { group, .. } => {
            let width = context.groups.get(group)?.1?;
            Some((format!("`{group}`"), width))
        }
        EmbeddingOp::Linear(width) => Some(("the linear layer".into(), *width)),
        EmbeddingOp::StopGradient
        | EmbeddingOp::L2
        | EmbeddingOp::Scale(_)
        | EmbeddingOp::Sinkhorn { .. }
        | EmbeddingOp::Memory { .. } => width(inner, context),
    }
}
