//! Calls inside a loss: its own functions, operators, and functions of a view.

use super::{Context, Function, LOSS, Value};
use crate::catalog::{self, Family};
use crate::check::{Bound, Checker, Slot, counted, nearest};
use crate::codes;
use crate::hir::Schedule;
use crate::loss::{Embedding, EmbeddingOp, Loss, Part, Term, TermOp};
use crate::units::{Exact, Quantity};
use grammar::ast::{Arg, Body, Decl, Expr, ExprKind, Kind};
use grammar::diagnostic::Diagnostic;
use grammar::span::{Span, Spanned};
use std::collections::BTreeMap;
use std::rc::Rc;

impl<'a> Checker<'a> {
    pub(in crate::check) fn loss_call(
        &mut self,
        slot: &Slot<'a>,
        callee: &'a Expr,
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
        if let ExprKind::Member(base, name) = &callee.kind
            && self.is_method(slot, base, name, args)
        {
            return None;
        }
        let function = self.loss_value(&slot.with(callee), context)?;
        let Value::Function(function) = function else {
            let message = format!("{} takes no arguments", function.noun());
            let mut diagnostic = Diagnostic::error(codes::WRONG_ARGUMENTS, callee.span, message);
            if let (ExprKind::Number(_), [arg]) = (&callee.kind, args) {
                let number = self.sources.text(callee.span);
                let factor = self.sources.text(arg.value.span);
                let span = Span {
                    start: callee.span.end,
                    ..slot.span()
                };
                // `2(a + b)` keeps its parentheses.
                let is_one = matches!(arg.value.kind, ExprKind::Name(_) | ExprKind::Call(..));
                let times = if is_one {
                    format!(" * {factor}")
                } else {
                    format!(" * ({factor})")
                };
                diagnostic = diagnostic
                    .help(format!("write `{}` behind `{number}`", times.trim_start()))
                    .edit(span, times);
            }
            self.report(&slot.env, diagnostic);
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

    /// `z(v[2]).detach()`: a function stands before what it works on.
    fn is_method(
        &mut self,
        slot: &Slot<'a>,
        base: &'a Expr,
        name: &Spanned<String>,
        args: &'a [Arg],
    ) -> bool {
        let functions: Vec<&str> = catalog::operators()
            .filter(|o| o.family == Family::Tensor && o.parameters.len() == 1 && !o.is_later)
            .map(|o| o.name)
            .collect();
        let method = name.value.as_str();
        let meant = if functions.contains(&method) {
            vec![method.to_owned()]
        } else {
            nearest(method, functions.into_iter())
        };
        let ([meant], []) = (meant.as_slice(), args) else {
            return false;
        };
        let written = format!("{meant}({})", self.sources.text(base.span));
        let message = format!("there is no `.{method}` here");
        let diagnostic = Diagnostic::error(codes::UNKNOWN_FIELD, name.span, message)
            .help(format!(
                "a function stands before what it works on: `{written}`"
            ))
            .edit(slot.span(), written);
        self.report(&slot.env, diagnostic);
        true
    }

    pub(in crate::check) fn call_declared(
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
        self.losses.note_use(decl);
        let mut env = slot.env.inside(module, slot.span());
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
    pub(in crate::check) fn loss_operator(
        &mut self,
        slot: &Slot<'a>,
        context: &Context,
    ) -> Option<Value<'a>> {
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
                    let Value::Loss(loss, part) = value else {
                        let message = format!("`{name}` takes a loss, this is {}", value.noun());
                        self.error(slot, codes::WRONG_KIND_OF_VALUE, message);
                        return None;
                    };
                    if name != "unit" {
                        return Some(Value::Loss(loss, part));
                    }
                    let factor = self.exactly(slot, loss.unit_factor())?;
                    let part = self.part(Part::Sum(vec![(factor, part)]));
                    let scaled = self.exactly(slot, loss.scaled(factor))?;
                    return Some(Value::Loss(scaled, part));
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
                        Schedule::Multistep { .. } | Schedule::Late { .. } => {
                            let at = call.get("decay")?.clone();
                            self.error(
                                &at,
                                codes::WRONG_KIND_OF_VALUE,
                                "`decay` takes a number or `cosine(0.99 -> 1)`",
                            );
                            return None;
                        }
                    };
                    // More than 1 grows without end.
                    let at = call.get("decay")?.clone();
                    for end in [decay.0, decay.1] {
                        self.fit(&at, Quantity::number(end), &catalog::DECAY)?;
                    }
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
                    let x = x.and_then(|x| self.embedding(call.get("x")?, x));
                    let y = y.map(|y| self.embedding(call.get("y")?, y?));
                    let mut args = vec![x?];
                    if let Some(y) = y {
                        args.push(y?);
                        self.same_width(slot, &args, context)?;
                    }
                    let op = match name {
                        "cos" => TermOp::Cos,
                        "mse" => TermOp::Mse,
                        "dot" => TermOp::Dot,
                        "xent" => TermOp::Xent,
                        "hinge_std" => TermOp::HingeStd,
                        "cov" => TermOp::Cov,
                        _ => {
                            let t = self.number_of(&call, "t");
                            let negatives = match call.get("negatives").cloned() {
                                Some(slot) => Some(self.negatives(&slot, &args)?),
                                None => None,
                            };
                            TermOp::InfoNce { t: t?, negatives }
                        }
                    };
                    let term = Term::new(op, args);
                    self.place_term(slot, &term);
                    let part = self.part(Part::Term(term.clone()));
                    return Some(Value::Loss(Loss::of(term), part));
                }
            }
        }
        self.wrong(slot, slot, &LOSS);
        None
    }

    /// How many rows of its memory bank the second of `args` is compared with.
    fn negatives(&mut self, slot: &Slot<'a>, args: &[Embedding]) -> Option<u64> {
        let mut operators = args.last()?.operators();
        if operators.any(|op| matches!(op, EmbeddingOp::Memory { .. })) {
            return self.whole(slot, &catalog::COUNT);
        }
        let message =
            "`negatives` counts rows of a memory bank, and the second embedding comes from none";
        let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, slot.span(), message)
            .help("leave it out, and the other samples of the batch are the negatives; or write `memory(z, momentum: 0.5)` for `z`");
        self.report(&slot.env, diagnostic);
        None
    }

    pub(in crate::check) fn function(
        &mut self,
        slot: &Slot<'a>,
        context: &Context,
    ) -> Option<Function<'a>> {
        let value = self.loss_value(slot, context)?;
        if let Value::Function(function) = value {
            return Some(function);
        }
        let message = format!(
            "`{}` takes a function of a view, this is {}",
            slot.place,
            value.noun()
        );
        let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, slot.span(), message)
            .help("write `ema(z, ...)`");
        self.report(&slot.env, diagnostic);
        None
    }

    pub(in crate::check) fn apply(
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
                    let mut diagnostic =
                        Diagnostic::error(codes::NO_PREDICTOR, slot.span(), message)
                            .help(format!("set `{modality}.h = pred` in the pretraining"));
                    let encoder = context.groups_at.get(&format!("{modality}.f"));
                    if let Some(beside) = encoder.filter(|at| at.file == self.modules[0].file)
                        && self.declared(0, "pred").is_some()
                    {
                        let (place, field) =
                            self.field_after(*beside, &format!("{modality}.h = pred"));
                        diagnostic = diagnostic.edit(place, field);
                    }
                    self.report(&slot.env, diagnostic);
                    return None;
                };
                self.fits_predictor(slot, &tensor, context)?;
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
    pub(in crate::check) fn embedding(
        &mut self,
        slot: &Slot<'a>,
        value: Value<'a>,
    ) -> Option<Embedding> {
        let Value::Tensor(tensor) = value else {
            let message = format!("this takes an embedding, not {}", value.noun());
            let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, slot.span(), message)
                .help("write `z(v[1])`");
            self.report(&slot.env, diagnostic);
            return None;
        };
        let Embedding::View { modality, view } = &tensor else {
            return Some(tensor);
        };
        let is_view = matches!(slot.expr.kind, ExprKind::Index(..));
        let fixed = match is_view {
            true => format!("z({})", self.sources.text(slot.span())),
            false => format!("z({modality}[{view}])"),
        };
        let message = "a view is not an embedding";
        let mut diagnostic = Diagnostic::error(codes::NOT_AN_EMBEDDING, slot.span(), message)
            .help(format!("write `{fixed}`"));
        if is_view {
            diagnostic = diagnostic.edit(slot.span(), fixed);
        }
        self.report(&slot.env, diagnostic);
        None
    }

    /// A predictor takes embeddings as wide as those of its modality's encoder.
    fn fits_predictor(
        &mut self,
        slot: &Slot<'a>,
        tensor: &Embedding,
        context: &Context,
    ) -> Option<()> {
        let (modality, _) = tensor.view();
        let takes = context.groups.get(&format!("{modality}.f"))?.1;
        let (Some(takes), Some((source, gives))) = (takes, width(tensor, context)) else {
            return Some(());
        };
        if takes == gives {
            return Some(());
        }
        let message = format!(
            "widths differ: `{modality}.h` takes the {takes} values of `{modality}.f`, {source} ends in {gives}"
        );
        let diagnostic = Diagnostic::error(codes::WIDTHS_DIFFER, slot.span(), message)
            .help("apply `h` to `z(v[1])`");
        self.report(&slot.env, diagnostic);
        None
    }

    /// A linear layer of a loss is one layer wherever it is written, so it takes embeddings of one width.
    pub(in crate::check) fn linear_inputs(
        &mut self,
        slot: &Slot<'a>,
        loss: &Loss,
        context: &Context,
    ) -> Option<()> {
        let mut known: BTreeMap<u32, (String, u32)> = BTreeMap::new();
        for embedding in loss.terms.iter().flat_map(|(term, _)| &term.args) {
            let mut at = embedding;
            while let Embedding::Apply(op, inner) = at {
                at = inner;
                let EmbeddingOp::Linear(layer) = op else {
                    continue;
                };
                let Some((source, gives)) = width(inner, context) else {
                    continue;
                };
                let (first, takes) = known
                    .entry(*layer)
                    .or_insert_with(|| (source.clone(), gives))
                    .clone();
                if takes != gives {
                    let message = format!(
                        "widths differ: `linear({layer})` takes the {takes} values of {first}, {source} ends in {gives}"
                    );
                    let diagnostic = Diagnostic::error(codes::WIDTHS_DIFFER, slot.span(), message)
                        .help("give both networks a last layer of the same width");
                    self.report(&slot.env, diagnostic);
                    return None;
                }
            }
        }
        Some(())
    }

    pub(in crate::check) fn same_width(
        &mut self,
        slot: &Slot<'a>,
        args: &[Embedding],
        context: &Context,
    ) -> Option<()> {
        let widths: Vec<Option<(String, u32)>> =
            args.iter().map(|arg| width(arg, context)).collect();
        let [Some((first, a)), Some((second, b))] = widths.as_slice() else {
            return Some(());
        };
        if a == b {
            return Some(());
        }
        let message = format!("widths differ: {first} ends in {a}, {second} in {b}");
        // The networks are what can be changed: the one that the file sets is shown, and the operator beside it.
        let own = [(first, a), (second, b)]
            .into_iter()
            .find_map(|(name, width)| {
                let place = *context.groups_at.get(name.trim_matches('`'))?;
                (!self.is_shipped(place.file)).then_some((place, width))
            });
        let (place, text) = own.map_or_else(
            || (slot.span(), String::new()),
            |(place, width)| (place, format!("{width} values")),
        );
        let mut diagnostic = Diagnostic::error(codes::WIDTHS_DIFFER, place, message)
            .here(text)
            .help("give both networks a last layer of the same width");
        if place != slot.span() {
            diagnostic = diagnostic.label(slot.span(), "compared here");
        }
        self.report(&slot.env, diagnostic);
        None
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
                EmbeddingOp::StopGradient
                | EmbeddingOp::L2
                | EmbeddingOp::Scale(_)
                | EmbeddingOp::Linear(_)
                | EmbeddingOp::Sinkhorn { .. }
                | EmbeddingOp::Ema { .. }
                | EmbeddingOp::Memory { .. } => Embedding::Apply(op, inner),
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
            let layers = context.groups.get(group)?.1;
            let here = layers.map(|width| (format!("`{group}`"), width));
            here.or_else(|| width(inner, context))
        }
        EmbeddingOp::Linear(width) => Some(("the linear layer".into(), *width)),
        EmbeddingOp::StopGradient
        | EmbeddingOp::L2
        | EmbeddingOp::Scale(_)
        | EmbeddingOp::Sinkhorn { .. }
        | EmbeddingOp::Memory { .. } => width(inner, context),
    }
}
