//! What stands behind a dot: a field of a record (`crisscross.es`), an argument of a call (`v.clip`, `KS.train`), or a number
//! that is worked out (`lr_b.start`, `v.clip.duration`).

use super::media::WrittenClip;
use super::record::Record;
use super::{Checker, Env, Slot, Wanted, name_of, named_call, suggest};
use crate::catalog::{self, Family};
use crate::codes;
use crate::hir::{Clip, Schedule};
use crate::units::{Dimension, Exact, Quantity};
use grammar::ast::{Body, Expr, ExprKind, Kind, Path};
use grammar::diagnostic::Diagnostic;
use grammar::span::Spanned;
use std::rc::Rc;

/// What is worked out of a clip: the last three of video, sound and both.
const OF_VIDEO: [&str; 4] = ["duration", "frames", "size", "rate"];
const OF_SOUND: [&str; 3] = ["duration", "samples", "rate"];
/// What is worked out of a schedule.
const OF_SCHEDULE: [&str; 3] = ["start", "end", "warmup"];

impl<'a> Checker<'a> {
    /// What `base.name` stands for, where that is written somewhere: a field of a record or an argument of a call. Nothing where
    /// it is a number that is worked out. `None`: a mistake that is reported already.
    #[allow(clippy::type_complexity)]
    pub(super) fn follow_member(
        &mut self,
        slot: &Slot<'a>,
        base: &'a Expr,
        name: &'a Spanned<String>,
    ) -> Option<Option<(&'a Expr, Env<'a>)>> {
        let field = name.value.as_str();
        // `v.lr_b` in a pretraining: the modality's own, or that of all.
        if let Some(record) = slot.env.record.clone().filter(|r| r.kind == Kind::Pretrain)
            && let Some(modality) = self.modality_word(slot, base)
            && let Some(found) = self.of_modality(&record, slot, modality, field)?
        {
            return Some(Some(found));
        }
        let (holder, modality) = self.holder(slot, base);
        if let Some(kind) = self.record_kind(&slot.with(holder)) {
            let record = Rc::new(self.record(&slot.with(holder), kind)?);
            let found = match modality {
                Some(modality) => self.of_modality(&record, slot, modality, field)?,
                None => self.of_record(&record, slot, name)?,
            };
            if found.is_some() || modality.is_none() {
                return Some(found);
            }
        }
        let declared = modality.and_then(|modality| self.modality_slot(slot, modality));
        let base = declared.unwrap_or_else(|| slot.with(base));
        let reduced = self.reduce(&base)?;
        let word = named_call(reduced.expr).map(|(word, _)| word);
        let Some(operator) = word.and_then(catalog::any_operator) else {
            return Some(None);
        };
        if operator.parameters.iter().all(|p| p.name != field) {
            return Some(None);
        }
        let call = self.operator_call(&reduced, operator.family).ok()??;
        Some(
            call.get(field)
                .map(|argument| (argument.expr, argument.env.clone())),
        )
    }

    /// What `crisscross.v.lr_b` is about: the record and the modality; without a modality, all that stands before the dot.
    fn holder(&self, slot: &Slot<'a>, base: &'a Expr) -> (&'a Expr, Option<&'a str>) {
        if let ExprKind::Member(outer, modality) = &base.kind
            && self.is_modality(slot.env.module, &modality.value)
            && self.record_kind(&slot.with(outer)) == Some(Kind::Pretrain)
        {
            return (outer, Some(&modality.value));
        }
        (base, None)
    }

    fn is_modality(&self, module: usize, name: &str) -> bool {
        let declared = self.declared(module, name);
        declared.is_some_and(|(_, decl)| decl.kind.value == Kind::Modality)
    }

    /// The name of a modality, if the expression is one.
    fn modality_word(&self, slot: &Slot<'a>, expr: &'a Expr) -> Option<&'a str> {
        let name = name_of(expr)?;
        let is_free = slot.env.bound(name).is_none();
        (is_free && self.is_modality(slot.env.module, name)).then_some(name)
    }

    /// The declaration of a modality as a place of its own.
    fn modality_slot(&self, slot: &Slot<'a>, name: &str) -> Option<Slot<'a>> {
        let (module, decl) = self.declared(slot.env.module, name)?;
        let Body::Expr(expr) = &decl.body else {
            return None;
        };
        Some(Slot {
            expr,
            env: slot.env.inside(module, slot.span()),
            place: slot.place.clone(),
        })
    }

    /// A field of one modality of a pretraining: its own, or that of all modalities.
    #[allow(clippy::type_complexity)]
    fn of_modality(
        &mut self,
        record: &Rc<Record<'a>>,
        slot: &Slot<'a>,
        modality: &str,
        field: &str,
    ) -> Option<Option<(&'a Expr, Env<'a>)>> {
        if catalog::PER_MODALITY
            .iter()
            .all(|known| known.name != field)
        {
            return Some(None);
        }
        let own = format!("{modality}.{field}");
        let path = match record.entry(&own) {
            Some(_) => own,
            None => field.to_owned(),
        };
        self.value_of(record, slot, &path)
    }

    /// A field of a record.
    #[allow(clippy::type_complexity)]
    fn of_record(
        &mut self,
        record: &Rc<Record<'a>>,
        slot: &Slot<'a>,
        name: &Spanned<String>,
    ) -> Option<Option<(&'a Expr, Env<'a>)>> {
        let field = name.value.as_str();
        if record.kind == Kind::Pretrain && self.is_modality(slot.env.module, field) {
            return Some(None);
        }
        if let Some(found) = self.value_of(record, slot, field)? {
            return Some(Some(found));
        }
        if record.is_unsure {
            return None;
        }
        if catalog::fields(record.kind).iter().any(|f| f.name == field) {
            let message = format!("`{}` does not say its `{field}`", record.name);
            let diagnostic = Diagnostic::error(codes::MISSING_FIELD, name.span, message);
            self.report(&slot.env, diagnostic);
        } else {
            let path = Path {
                span: name.span,
                names: vec![name.clone()],
            };
            self.unknown_field(&slot.env, record, &path);
        }
        None
    }

    /// The value of a field, unless the field is being read to make that same value.
    #[allow(clippy::type_complexity)]
    pub(super) fn value_of(
        &mut self,
        record: &Rc<Record<'a>>,
        slot: &Slot<'a>,
        path: &str,
    ) -> Option<Option<(&'a Expr, Env<'a>)>> {
        let Some(entry) = record.entry(path) else {
            return Some(None);
        };
        let (own, here) = (entry.value.span, slot.span());
        let is_ring = own.file == here.file && own.start <= here.start && here.end <= own.end;
        let is_own = slot
            .env
            .record
            .as_ref()
            .is_some_and(|r| r.name == record.name);
        if is_ring && is_own {
            let message = format!("`{path}` is worked out of itself");
            let mut diagnostic = Diagnostic::error(codes::RING, here, message);
            let base = record
                .declared
                .iter()
                .rev()
                .map(|(_, name)| *name)
                .find(|name| *name != record.name)
                .unwrap_or(&record.name);
            let place = entry.places.last();
            if place.is_some_and(|place| self.is_above(*place)) {
                diagnostic =
                    diagnostic.help("write the value out: each record had one of its own before");
            } else if entry.places.len() > 1 {
                let before = format!("{base}.{path}");
                diagnostic = diagnostic
                    .help(format!("the value that it had before is `{before}`"))
                    .edit(here, before);
            }
            self.report(&slot.env, diagnostic);
            return None;
        }
        // The uses that led here stay known, so that fields that name each other come to an end.
        let env = Env {
            via: slot.env.used_at(slot.span()).via,
            ..record.env_of(entry)
        };
        Some(Some((entry.value, env)))
    }

    /// A number that is worked out: `lr_b.start`, `v.clip.duration`.
    pub(super) fn worked_out(
        &mut self,
        slot: &Slot<'a>,
        base: &'a Expr,
        name: &'a Spanned<String>,
    ) -> Option<Quantity> {
        let (_, modality) = self.holder(slot, base);
        let declared = modality.and_then(|modality| self.modality_slot(slot, modality));
        let base = declared.unwrap_or_else(|| slot.with(base));
        let before = self.found.len();
        let Some(reduced) = self.reduce(&base) else {
            return None; // said already
        };
        // What stands before the last dot is no value by itself: what is wrong stands further left.
        if let ExprKind::Member(outer, member) = &reduced.expr.kind {
            self.worked_out(&reduced, outer, member)?;
            return self.no_member(slot, name, "a number", &[]);
        }
        let callee = if let ExprKind::Call(callee, _) = &reduced.expr.kind {
            reduced.with(callee)
        } else {
            reduced.clone()
        };
        if let Some(word) = callee.word()
            && self.declared(reduced.env.module, word).is_none()
            && catalog::any_operator(word).is_none()
        {
            let wanted = Wanted::new(
                "a value",
                &[
                    Kind::Let,
                    Kind::Pretrain,
                    Kind::Eval,
                    Kind::Data,
                    Kind::Modality,
                ],
                &[],
            );
            self.unknown(&callee, word, &wanted);
            return None;
        }
        let operator = named_call(reduced.expr).and_then(|(word, _)| catalog::any_operator(word));
        let family = operator.map(|operator| operator.family);
        let field = name.value.as_str();
        if let ExprKind::At(..) = &reduced.expr.kind {
            let clip = self.clip(&base)?;
            return match of_clip(&clip, field) {
                Some(quantity) => self.exactly(slot, quantity),
                None => {
                    let (noun, known) = match clip {
                        WrittenClip::Video { .. } => ("a clip of video", &OF_VIDEO[..]),
                        WrittenClip::Audio { .. } => ("a clip of sound", &OF_SOUND[..]),
                    };
                    self.no_member(slot, name, noun, known)
                }
            };
        }
        if family == Some(Family::Modality) {
            if field == "columns"
                && let Clip::Audio { samples, mel, .. } = self.modality(&base)?
            {
                return Some(Quantity {
                    value: Exact::whole(i128::from(mel.columns(samples))),
                    dimension: Dimension::BINS,
                });
            }
            let mut known: Vec<&str> = operator
                .map(|o| o.parameters.iter().map(|p| p.name).collect())
                .unwrap_or_default();
            if known.contains(&"spectrogram") {
                known.push("columns");
            }
            return self.no_member(slot, name, "a modality", &known);
        }
        let is_rate = self.is_schedule(&base) || is_number(&reduced);
        if is_rate && OF_SCHEDULE.contains(&field) {
            self.found.truncate(before);
            let schedule = self.schedule(&base)?;
            return self.of_schedule(slot, &schedule, field);
        }
        let parameters: Vec<&str> = match operator {
            // An embedding or a loss is no record of its arguments.
            Some(operator) if matches!(operator.family, Family::Tensor | Family::Term) => {
                return self.no_member(slot, name, "", &[]);
            }
            Some(operator) if !is_rate => operator.parameters.iter().map(|p| p.name).collect(),
            Some(_) | None => vec![],
        };
        match (operator, parameters.as_slice()) {
            (Some(operator), [_, ..]) if parameters.contains(&field) => {
                let message = format!("this `{}` does not say its `{field}`", operator.name);
                let diagnostic = Diagnostic::error(codes::MISSING_FIELD, name.span, message);
                self.report(&slot.env, diagnostic);
                None
            }
            (Some(operator), known @ [_, ..]) => {
                let noun = operator.family.noun();
                self.no_member(slot, name, noun, known)
            }
            _ => self.no_member(slot, name, "a rate", &OF_SCHEDULE),
        }
    }

    /// The first or the last rate of a schedule, or its warm-up.
    fn of_schedule(
        &mut self,
        slot: &Slot<'a>,
        schedule: &Schedule,
        field: &str,
    ) -> Option<Quantity> {
        let none = Exact::whole(0);
        let (first, last, warmup) = match schedule.in_time() {
            Schedule::Constant(rate) => (*rate, Some(*rate), none),
            Schedule::Cosine { from, to, warmup } => (*from, Some(*to), *warmup),
            Schedule::Multistep {
                base,
                milestones,
                gamma,
            } => {
                let mut steps = milestones.iter();
                let last = steps.try_fold(*base, |rate, _| rate.times(*gamma));
                (*base, last, none)
            }
            Schedule::Late { .. } => unreachable!("`in_time` leaves no delay"),
        };
        match field {
            "start" => Some(Quantity::number(first)),
            "end" => self.exactly(slot, last.map(Quantity::number)),
            _ => Some(Quantity {
                value: warmup,
                dimension: Dimension::EPOCHS,
            }),
        }
    }

    /// `value`, or the message that it needs more than 30 digits.
    pub(super) fn exactly<T>(&mut self, slot: &Slot<'a>, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.error(slot, codes::TOO_LARGE, "the result has more than 30 digits");
        }
        value
    }

    fn no_member(
        &mut self,
        slot: &Slot<'a>,
        name: &Spanned<String>,
        noun: &str,
        known: &[&str],
    ) -> Option<Quantity> {
        let message = format!("there is no `.{}` here", name.value);
        let list: Vec<String> = known.iter().map(|known| format!("`.{known}`")).collect();
        let mut diagnostic = Diagnostic::error(codes::UNKNOWN_FIELD, name.span, message);
        if !list.is_empty() {
            diagnostic = diagnostic.note(format!("{noun} has {}", list.join(", ")));
        }
        // The name may be right, and what stands before it another thing than it was taken for.
        if !known.contains(&name.value.as_str()) {
            diagnostic = suggest(diagnostic, name.span, &name.value, known.iter().copied());
        }
        self.report(&slot.env, diagnostic);
        None
    }

    /// What of a value is a number, where a number is wanted and the value is none.
    pub(super) fn numbers_of(&mut self, slot: &Slot<'a>) -> Option<&'static str> {
        if let ExprKind::At(..) = &slot.expr.kind {
            return Some(
                "its `.duration`, `.rate`, and its `.frames` and `.size` or its `.samples` are numbers",
            );
        }
        self.is_schedule(slot)
            .then_some("its first and its last rate are numbers: `.start` and `.end`")
    }
}

/// A number that a clip knows. `Some(None)`: it needs more than 30 digits.
fn of_clip(clip: &WrittenClip, field: &str) -> Option<Option<Quantity>> {
    let whole = |n: u32| Exact::whole(i128::from(n));
    let (ticks, rate, dimensions) = match clip {
        WrittenClip::Video { frames, fps, .. } => {
            (*frames, *fps, (Dimension::FRAMES, Dimension::FRAME_RATE))
        }
        WrittenClip::Audio { samples, rate } => {
            (*samples, *rate, (Dimension::SAMPLES, Dimension::FREQUENCY))
        }
    };
    let (value, dimension) = match (field, clip) {
        ("duration", _) => (whole(ticks).over(rate), Dimension::TIME),
        ("rate", _) => (Some(rate), dimensions.1),
        ("frames", WrittenClip::Video { .. }) | ("samples", WrittenClip::Audio { .. }) => {
            (Some(whole(ticks)), dimensions.0)
        }
        ("size", WrittenClip::Video { size, .. }) => (Some(whole(*size)), Dimension::LENGTH),
        _ => return None,
    };
    Some(value.map(|value| Quantity { value, dimension }))
}

fn is_number(slot: &Slot<'_>) -> bool {
    matches!(
        slot.expr.kind,
        ExprKind::Number(_) | ExprKind::Neg(_) | ExprKind::Binary(..) | ExprKind::Member(..)
    )
}
