//! Sums over modalities and views.

use super::{Context, LOSS, Value};
use crate::check::names::MOST_PARAMETERS;
use crate::check::{Bound, Checker, Env, Slot, Wanted, counted, name_of};
use crate::codes;
use crate::loss::Part;
use crate::units::Exact;
use grammar::ast::{Binder, Comprehension, Expr, ExprKind, Kind, PairRelation};
use grammar::diagnostic::Diagnostic;

impl<'a> Checker<'a> {
    /// `sum(element for m < n in modalities, i in views)` and the same with `mean`.
    pub(in crate::check) fn sum_over(
        &mut self,
        slot: &Slot<'a>,
        callee: &'a Expr,
        comprehension: &'a Comprehension,
        context: &Context,
    ) -> Option<Value<'a>> {
        let name = match name_of(callee) {
            Some(name @ ("sum" | "mean")) => name,
            Some(_) | None => {
                let diagnostic = Diagnostic::error(
                    codes::UNKNOWN_NAME,
                    callee.span,
                    "only `sum` and `mean` range over values",
                );
                self.report(&slot.env, diagnostic);
                return None;
            }
        };
        if comprehension.binders.len() > MOST_PARAMETERS {
            let message = format!("a sum ranges over at most {MOST_PARAMETERS} lists");
            self.error(slot, codes::WRONG_ARGUMENTS, message);
            return None;
        }
        let mut envs = vec![slot.env.clone()];
        for binder in &comprehension.binders {
            let mut next = vec![];
            for env in &envs {
                self.step(slot)?;
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
        let mut addends = vec![];
        for env in envs {
            let element = Slot {
                expr: &comprehension.element,
                env,
                place: slot.place.clone(),
            };
            let value = self.loss_value(&element, context)?;
            if let Value::Loss(_, part) = value {
                addends.push((Exact::whole(1), part));
            } else {
                let message = format!("`{name}` adds losses, this is {}", value.noun());
                self.error(&element, codes::WRONG_KIND_OF_VALUE, message);
                return None;
            }
            total = Some(match total {
                None => value,
                Some(sum) => self.add(slot, sum, value)?,
            });
        }
        let mut total = total?;
        // As written it is one sum, not a sum of sums of two.
        if let Value::Loss(_, part) = &mut total {
            *part = self.part(Part::Sum(addends));
        }
        if name == "sum" {
            return Some(total);
        }
        self.multiply(
            slot,
            Value::number(Exact::new(1, i128::try_from(count).ok()?)),
            total,
        )
    }

    /// The environments that one binder makes out of one. An empty range is a mistake: the term would silently vanish.
    pub(in crate::check) fn bindings(
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

    pub(in crate::check) fn empty_range(
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
