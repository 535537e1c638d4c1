//! Schedules, optimisers and relaxation policies.

use super::{Checker, Slot, Wanted, argument, counted, named_call};
use crate::catalog::{self, Family};
use crate::codes;
use crate::hir::{Across, Optimiser, Relaxation, Schedule, Within};
use crate::units::{Exact, Quantity};
use grammar::ast::{BinaryOp, ExprKind, Kind};
use grammar::diagnostic::Diagnostic;

impl<'a> Checker<'a> {
    /// `cosine(from -> to, warmup: 2ep)`, `multistep(...)`, or a number, which is constant.
    pub(super) fn schedule(&mut self, slot: &Slot<'a>) -> Option<Schedule> {
        let reduced = self.reduce(slot)?;
        if let ExprKind::Binary(op, left, right) = &reduced.expr.kind {
            let (left, right) = (reduced.with(left), reduced.with(right));
            let schedules = (self.is_schedule(&left), self.is_schedule(&right));
            let scaled = match (op.value, schedules) {
                (BinaryOp::Mul | BinaryOp::Div, (true, false)) => Some((left, right)),
                (BinaryOp::Mul, (false, true)) => Some((right, left)),
                (_, (false, false)) => None,
                _ => {
                    self.not_scaled(&reduced);
                    return None;
                }
            };
            if let Some((schedule, factor)) = scaled {
                let is_divisor = op.value == BinaryOp::Div;
                return self.scaled(&reduced, &schedule, &factor, is_divisor);
            }
        }
        let is_call = matches!(&reduced.expr.kind, ExprKind::Call(..) | ExprKind::Name(_));
        let Some(call) = self.operator_call(&reduced, Family::Schedule).ok()? else {
            let wanted = Wanted::new("a rate", &[Kind::Let], &[Family::Schedule])
                .example("cosine(0.0002 -> 0, warmup: 2ep)");
            if is_call {
                self.wrong(slot, &reduced, &wanted);
                return None;
            }
            let quantity = self.arithmetic(slot, &wanted)?;
            return self
                .fit(slot, quantity, &catalog::RATE)
                .map(Schedule::Constant);
        };
        let place = slot.place.clone();
        let named = |slot: &Slot<'a>| Slot {
            place: place.clone(),
            ..slot.clone()
        };
        if call.operator.name == "cosine" {
            let range = self.range(&named(call.get("range")?));
            let warmup = match call.get("warmup") {
                Some(_) => self.number_of(&call, "warmup"),
                None => Some(Exact::whole(0)),
            };
            let (from, to) = range?;
            return Some(Schedule::Cosine {
                from,
                to,
                warmup: warmup?,
            });
        }
        if call.operator.name == "late" {
            let of = self.schedule(&named(call.get("schedule")?));
            let first = self.number_of(&call, "first");
            return Some(Schedule::Late {
                first: first?,
                of: Box::new(of?),
            });
        }
        let base = self.quantity(&named(call.get("base")?), &catalog::RATE);
        let milestones = self
            .list(call.get("ms")?, "a list of epochs")
            .and_then(|members| {
                let read: Vec<_> = members
                    .iter()
                    .map(|m| self.quantity(m, &catalog::EPOCHS))
                    .collect();
                read.into_iter().collect::<Option<Vec<_>>>()
            });
        let gamma = self.number_of(&call, "gamma");
        let milestones = milestones?;
        self.check_milestones(call.get("ms")?, &milestones)?;
        Some(Schedule::Multistep {
            base: base?,
            milestones,
            gamma: gamma?,
        })
    }

    /// The steps of a schedule come one after the other.
    fn check_milestones(&mut self, slot: &Slot<'a>, milestones: &[Exact]) -> Option<()> {
        let falls = |pair: &&[Exact]| pair[1] <= pair[0];
        let Some(pair) = milestones.windows(2).find(falls) else {
            return Some(());
        };
        let (first, second) = (pair[0].decimal(), pair[1].decimal());
        let message = match first == second {
            true => format!("`{}` names epoch {first} twice", slot.place),
            false => format!(
                "the epochs of `{}` go up, and {second} follows {first}",
                slot.place
            ),
        };
        let mut sorted = milestones.to_vec();
        sorted.sort();
        sorted.dedup();
        let sorted: Vec<String> = sorted
            .iter()
            .map(|m| format!("{}ep", m.decimal()))
            .collect();
        let fixed = format!("[{}]", sorted.join(", "));
        let mut diagnostic = Diagnostic::error(codes::OUT_OF_RANGE, slot.span(), message)
            .help(format!("write `{fixed}`"));
        if matches!(slot.expr.kind, ExprKind::List(_)) {
            diagnostic = diagnostic.edit(slot.span(), fixed);
        }
        self.report(&slot.env, diagnostic);
        None
    }

    /// A step of a schedule that comes after the last of `ep` epochs (W0711).
    pub(super) fn advise_on_steps(&mut self, slot: &Slot<'a>, schedule: &Schedule, ep: u64) {
        let Schedule::Multistep { milestones, .. } = schedule.in_time() else {
            return;
        };
        let end = Exact::whole(i128::from(ep));
        let late: Vec<String> = milestones
            .iter()
            .filter(|milestone| **milestone >= end)
            .map(|milestone| milestone.decimal())
            .collect();
        let Some(reduced) = self
            .reduce(slot)
            .filter(|_| self.caps.is_none() && !late.is_empty())
        else {
            return;
        };
        let argument = argument(reduced.expr, &["ms"], 1);
        let place = argument.map_or(reduced.span(), |arg| arg.value.span);
        let steps = match late.as_slice() {
            [one] => format!("the step at epoch {one} never comes"),
            all => format!("the steps at epochs {} never come", all.join(", ")),
        };
        let message = format!(
            "{steps}: the run ends after {}",
            counted(ep as usize, "epoch")
        );
        let diagnostic = Diagnostic::warning(codes::LATE_STEP, place, message)
            .note("epochs are counted from 0")
            .help("drop what lies behind the end, or train longer");
        self.report(&reduced.env, diagnostic);
    }

    /// Is it a rate that changes over time, or a multiple of one?
    pub(super) fn is_schedule(&mut self, slot: &Slot<'a>) -> bool {
        let before = self.found.len();
        let reduced = self.reduce(slot);
        self.found.truncate(before);
        let Some(reduced) = reduced else { return false };
        if let ExprKind::Binary(op, left, right) = &reduced.expr.kind {
            let is_scaled = matches!(op.value, BinaryOp::Mul | BinaryOp::Div);
            return is_scaled
                && [left, right]
                    .into_iter()
                    .any(|side| self.is_schedule(&reduced.with(side)));
        }
        let word = named_call(reduced.expr).map(|(word, _)| word);
        word.is_some_and(|word| catalog::operator(Family::Schedule, word).is_some())
    }

    /// A schedule times a number, or over one.
    fn scaled(
        &mut self,
        slot: &Slot<'a>,
        schedule: &Slot<'a>,
        factor: &Slot<'a>,
        is_divisor: bool,
    ) -> Option<Schedule> {
        let schedule = self.schedule(schedule);
        let factor = self.quantity(factor, &catalog::ANY_NUMBER);
        let (schedule, factor) = (schedule?, factor?);
        if is_divisor && factor == Exact::whole(0) {
            self.error(slot, codes::TOO_LARGE, "this divides by zero");
            return None;
        }
        self.times(slot, schedule, factor, is_divisor)
    }

    fn times(
        &mut self,
        slot: &Slot<'a>,
        schedule: Schedule,
        factor: Exact,
        is_divisor: bool,
    ) -> Option<Schedule> {
        let mut rate = |rate: Exact| {
            let product = match is_divisor {
                true => rate.over(factor),
                false => rate.times(factor),
            };
            let product = self.exactly(slot, product)?;
            self.fit(slot, Quantity::number(product), &catalog::RATE)
        };
        Some(match schedule {
            Schedule::Constant(base) => Schedule::Constant(rate(base)?),
            Schedule::Cosine { from, to, warmup } => Schedule::Cosine {
                from: rate(from)?,
                to: rate(to)?,
                warmup,
            },
            Schedule::Multistep {
                base,
                milestones,
                gamma,
            } => Schedule::Multistep {
                base: rate(base)?,
                milestones,
                gamma,
            },
            Schedule::Late { first, of } => Schedule::Late {
                first: rate(first)?,
                of: Box::new(self.times(slot, *of, factor, is_divisor)?),
            },
        })
    }

    fn not_scaled(&mut self, slot: &Slot<'a>) {
        let message = "a schedule is multiplied or divided by a number, and nothing else";
        let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, slot.span(), message)
            .note("its first and its last rate are numbers, with which all can be done: `lr_b.start`, `lr_b.end`")
            .help("write `2 * lr_b`, or a new one: `cosine(lr_b.start + 0.001 -> lr_b.end)`");
        self.report(&slot.env, diagnostic);
    }

    /// `from -> to`.
    pub(super) fn range(&mut self, slot: &Slot<'a>) -> Option<(Exact, Exact)> {
        let reduced = self.reduce(slot)?;
        let ExprKind::Arrow(from, to) = &reduced.expr.kind else {
            let wanted = Wanted::new("two rates `from -> to`", &[], &[]);
            let from = if let ExprKind::Number(_) = &reduced.expr.kind {
                self.sources.text(reduced.span())
            } else {
                "0.0002"
            };
            let example = format!("cosine({from} -> 0)");
            self.wrong(slot, &reduced, &wanted.example(&example));
            return None;
        };
        let from = self.quantity(&reduced.with(from), &catalog::RATE);
        let to = self.quantity(&reduced.with(to), &catalog::RATE);
        Some((from?, to?))
    }

    /// `adam(...)`, `sgd(...)`, `larc(...)`.
    pub(super) fn optimiser(&mut self, slot: &Slot<'a>) -> Option<Optimiser> {
        let reduced = self.reduce(slot)?;
        let Some(call) = self.operator_call(&reduced, Family::Optimiser).ok()? else {
            let wanted = Wanted::new("an optimiser", &[Kind::Let], &[Family::Optimiser]);
            self.wrong(
                slot,
                &reduced,
                &wanted.example("adam(betas: (0.9, 0.999), wd: 0.0001)"),
            );
            return None;
        };
        match call.operator.name {
            "adam" => {
                let betas = self.pair(call.get("betas")?, &catalog::SHARE);
                let wd = self.number_of(&call, "wd");
                Some(Optimiser::Adam {
                    betas: betas?,
                    wd: wd?,
                })
            }
            "sgd" => {
                let (mtm, wd) = (self.number_of(&call, "mtm"), self.number_of(&call, "wd"));
                Some(Optimiser::Sgd { mtm: mtm?, wd: wd? })
            }
            _ => {
                let inner = self.optimiser(call.get("inner")?);
                let trust = self.number_of(&call, "trust")?;
                if trust <= Exact::whole(0) {
                    let at = call.get("trust")?.clone();
                    let diagnostic = Diagnostic::error(
                        codes::NOT_POSITIVE_TRUST,
                        at.span(),
                        "`trust` must be positive",
                    )
                    .note("LARC divides by it; the released code uses 0.001");
                    self.report(&at.env, diagnostic);
                    return None;
                }
                Some(Optimiser::Larc {
                    inner: Box::new(inner?),
                    trust,
                })
            }
        }
    }

    /// `windows(within: ..., across: ...)`, perhaps with `a: same`, or the name of one.
    pub(super) fn policy(&mut self, slot: &Slot<'a>) -> Option<Relaxation> {
        let reduced = self.reduce(slot)?;
        let Some(call) = self.operator_call(&reduced, Family::Policy).ok()? else {
            let wanted = Wanted::new(
                "a relaxation policy",
                &[Kind::Relaxation],
                &[Family::Policy],
            )
            .example("mild");
            if named_call(reduced.expr)
                .is_some_and(|(name, _)| catalog::operator(Family::Within, name).is_some())
            {
                let message = format!(
                    "`{}` takes a relaxation policy, this is one part of it",
                    slot.place
                );
                let help = "for example `windows(within: overlap(50%, of: each), across: inside)`, which is `mild`";
                let diagnostic =
                    Diagnostic::error(codes::WRONG_KIND_OF_VALUE, slot.span(), message).help(help);
                self.report(&slot.env, diagnostic);
                return None;
            }
            self.wrong(slot, &reduced, &wanted);
            return None;
        };
        let within = self.within(call.get("within")?);
        let across = match self.word_of(&call, "across") {
            Some("inside") => Some(Across::Inside),
            Some("start") => Some(Across::Start),
            Some(_) => Some(Across::Centre),
            None => None,
        };
        let mut same = vec![];
        for (modality, slot) in &call.modalities {
            let Some(catalog::Type::Word(words)) = call.operator.per_modality else {
                continue;
            };
            self.word(slot, words)?;
            same.push(modality.value.clone());
        }
        same.sort();
        let within = within?;
        if within == Within::Same {
            same.clear(); // one window for all says it already
        }
        Some(Relaxation {
            within,
            across: across?,
            same,
        })
    }

    fn within(&mut self, slot: &Slot<'a>) -> Option<Within> {
        let is_operator = slot
            .word()
            .is_some_and(|word| catalog::operator(Family::Within, word).is_some());
        let reduced = if is_operator {
            slot.clone()
        } else {
            self.reduce(slot)?
        };
        let Some(call) = self.operator_call(&reduced, Family::Within).ok()? else {
            let wanted = Wanted::new("a relation of windows", &[Kind::Let], &[Family::Within])
                .example("overlap(50%, of: each)");
            self.wrong(slot, &reduced, &wanted);
            return None;
        };
        match call.operator.name {
            "same" => Some(Within::Same),
            "halves" => Some(Within::Halves),
            "independent" => Some(Within::Independent),
            "offset" if call.get("by")?.word() == Some("max") => Some(Within::OffsetMax),
            "offset" => self.number_of(&call, "by").map(Within::Offset),
            _ => {
                let share = self.overlap_share(call.get("share")?);
                let of = call.get("of")?.clone();
                let of = match of.word() {
                    Some("each") => Some(None),
                    _ => self.modality_name(&of).map(Some),
                };
                Some(Within::Overlap {
                    share: share?,
                    of: of?,
                })
            }
        }
    }

    /// The share of an overlap, with the message that names what an overlap is.
    fn overlap_share(&mut self, slot: &Slot<'a>) -> Option<Exact> {
        let anything = catalog::Measure {
            noun: "a share",
            ..catalog::ANY_NUMBER
        };
        let share = self.quantity(slot, &anything)?;
        if share < Exact::whole(0) || share > Exact::whole(1) {
            let percent = share
                .times(Exact::whole(100))
                .map_or_else(|| share.decimal(), Exact::decimal);
            // A number that several uses share is one mistake, where it is written.
            let written = self.reduce(slot)?;
            let is_plain = matches!(&written.expr.kind, ExprKind::Number(n) if n.unit.is_none());
            if is_plain && share > Exact::whole(1) && share <= Exact::whole(100) {
                let text = format!("{}%", share.decimal());
                let message = format!("an overlap is a share, this is {}", share.decimal());
                let diagnostic = Diagnostic::error(codes::OVERLAP_RANGE, written.span(), message)
                    .here("a unit is missing")
                    .help(format!("write `{text}`"))
                    .edit(written.span(), text);
                self.report(&written.env, diagnostic);
                return None;
            }
            let message = format!("an overlap lies between 0 % and 100 %, this is {percent} %");
            let diagnostic = Diagnostic::error(codes::OVERLAP_RANGE, written.span(), message)
                .note("100 % is `within: same` with two draws; `overlap(0%, of: each)` lets the windows touch (Sec. 4.3)");
            self.report(&written.env, diagnostic);
            return None;
        }
        Some(share)
    }
}
