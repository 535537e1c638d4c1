//! Numbers, words, pairs and lists.

use super::messages::quoted;
use super::{Call, Checker, Slot, Wanted, counted, suggest};
use crate::catalog::{self, Measure, Type};
use crate::codes;
use crate::units::{Dimension, Exact, Quantity, Unfit};
use grammar::ast::{BinaryOp, Body, Expr, ExprKind, Kind};
use grammar::diagnostic::Diagnostic;

const NUMBER: Wanted<'_> = Wanted::new("a number", &[Kind::Let], &[]);

impl<'a> Checker<'a> {
    /// The value of an arithmetic expression with its dimension.
    pub(super) fn arithmetic(&mut self, slot: &Slot<'a>, wanted: &Wanted<'_>) -> Option<Quantity> {
        let reduced = self.reduce(slot)?;
        match &reduced.expr.kind {
            ExprKind::Number(number) => {
                let parsed = Quantity::parse(&number.digits, number.unit.as_deref());
                if parsed.is_none() {
                    self.error(
                        &reduced,
                        codes::TOO_LARGE,
                        "this number has more than 30 digits",
                    );
                }
                parsed
            }
            ExprKind::Neg(inner) => {
                let inner = self.arithmetic(&reduced.with(inner), wanted)?;
                Some(Quantity {
                    value: Exact(-inner.value.0),
                    ..inner
                })
            }
            ExprKind::Binary(op, left, right) => {
                let (a, b) = (
                    self.arithmetic(&reduced.with(left), wanted),
                    self.arithmetic(&reduced.with(right), wanted),
                );
                self.combine(&reduced, op.value, a?, b?)
            }
            ExprKind::Member(base, name) => self.worked_out(&reduced, base, name),
            ExprKind::Dims(..)
            | ExprKind::String(_)
            | ExprKind::Name(_)
            | ExprKind::List(_)
            | ExprKind::Tuple(_)
            | ExprKind::Compare(..)
            | ExprKind::Arrow(..)
            | ExprKind::On(..)
            | ExprKind::At(..)
            | ExprKind::With(..)
            | ExprKind::Index(..)
            | ExprKind::Call(..)
            | ExprKind::Comprehension(..) => {
                match self.numbers_of(&reduced) {
                    Some(help) => self.no_number(slot, &reduced, wanted, help),
                    None => self.wrong(slot, &reduced, wanted),
                }
                None
            }
        }
    }

    /// Is it worked out from numbers alone? Its units can then be checked before anything uses it.
    pub(super) fn is_arithmetic(&self, module: usize, expr: &'a Expr, depth: u32) -> bool {
        let is = |expr: &'a Expr| self.is_arithmetic(module, expr, depth + 1);
        match &expr.kind {
            ExprKind::Number(_) => true,
            ExprKind::Neg(inner) => is(inner),
            ExprKind::Binary(_, left, right) => is(left) && is(right),
            ExprKind::Name(name) if depth < 20 => match self.declared(module, name) {
                Some((module, decl)) if decl.kind.value == Kind::Let && decl.params.is_empty() => {
                    match &decl.body {
                        Body::Expr(expr) => self.is_arithmetic(module, expr, depth + 1),
                        Body::Block(_) => false,
                    }
                }
                Some(_) | None => false,
            },
            ExprKind::Name(_)
            | ExprKind::Dims(..)
            | ExprKind::String(_)
            | ExprKind::List(_)
            | ExprKind::Tuple(_)
            | ExprKind::Compare(..)
            | ExprKind::Arrow(..)
            | ExprKind::On(..)
            | ExprKind::At(..)
            | ExprKind::With(..)
            | ExprKind::Member(..)
            | ExprKind::Index(..)
            | ExprKind::Call(..)
            | ExprKind::Comprehension(..) => false,
        }
    }

    /// A clip or a schedule stands where a number is due.
    fn no_number(&mut self, slot: &Slot<'a>, reduced: &Slot<'a>, wanted: &Wanted<'_>, help: &str) {
        let message = format!(
            "`{}` takes {}, this is {}",
            slot.place,
            wanted.noun,
            self.describe(reduced)
        );
        let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, slot.span(), message);
        self.report(&slot.env, diagnostic.help(help));
    }

    /// Two quantities by one operator.
    pub(super) fn combine(
        &mut self,
        slot: &Slot<'a>,
        op: BinaryOp,
        a: Quantity,
        b: Quantity,
    ) -> Option<Quantity> {
        let result = match op {
            BinaryOp::Add => a.plus(b),
            BinaryOp::Sub => a.minus(b),
            BinaryOp::Mul => a.times(b),
            BinaryOp::Div => a.over(b),
        };
        let unfit = match result {
            Ok(quantity) => return Some(quantity),
            Err(unfit) => unfit,
        };
        match unfit {
            Unfit::ZeroDivisor => self.error(slot, codes::TOO_LARGE, "this divides by zero"),
            Unfit::TooLarge => {
                self.error(slot, codes::TOO_LARGE, "the result has more than 30 digits")
            }
            Unfit::Dimensions => {
                let message = format!(
                    "{} and {} do not add",
                    a.dimension.noun(),
                    b.dimension.noun()
                );
                let mut diagnostic =
                    Diagnostic::error(codes::UNITS_DO_NOT_ADD, slot.span(), message);
                let has = |d| a.dimension == d || b.dimension == d;
                if has(Dimension::TIME) && has(Dimension::SAMPLES) {
                    diagnostic =
                        diagnostic.help("a rate makes samples a time: `1024samples / 16kHz`");
                } else if has(Dimension::TIME) && has(Dimension::FRAMES) {
                    diagnostic = diagnostic.help("a rate makes frames a time: `8frames / 16fps`");
                }
                self.report(&slot.env, diagnostic);
            }
        }
        None
    }

    /// A number that fits its place.
    pub(super) fn quantity(&mut self, slot: &Slot<'a>, measure: &Measure) -> Option<Exact> {
        let wanted = Wanted {
            noun: measure.noun,
            ..NUMBER
        };
        let quantity = self.arithmetic(slot, &wanted)?;
        self.fit(slot, quantity, measure)
    }

    /// `quantity` as a number of the measure, or a message that names the unit or the range.
    pub(super) fn fit(
        &mut self,
        slot: &Slot<'a>,
        quantity: Quantity,
        measure: &Measure,
    ) -> Option<Exact> {
        let place = &slot.place;
        if quantity.dimension != measure.dimension {
            let diagnostic = self.wrong_unit(slot, quantity, measure);
            self.report(&slot.env, diagnostic);
            return None;
        }
        let (least, most) = measure.range();
        if measure.is_whole && !quantity.value.0.is_integer() {
            let message = format!("`{place}` takes whole numbers, this is {quantity}");
            self.error(slot, codes::OUT_OF_RANGE, message);
            return None;
        }
        if quantity.value < least || quantity.value > most {
            let (from, to) = measure.range_text();
            let message = if measure.noun == catalog::PROBABILITY.noun {
                format!("a probability lies between 0 and 1, this is {quantity}")
            } else if quantity.value < least && most > Exact::whole(1000) {
                format!("`{place}` is at least {from}, this is {quantity}")
            } else {
                format!("`{place}` lies between {from} and {to}, this is {quantity}")
            };
            let mut diagnostic = Diagnostic::error(codes::OUT_OF_RANGE, slot.span(), message);
            let percent = quantity.value.over(Exact::whole(100));
            let inverse = Exact::whole(1).over(quantity.value);
            if let (true, Some(inverse)) = (measure.noun == catalog::FALL.noun, inverse)
                && inverse >= least
            {
                let help = format!(
                    "the rate is multiplied by it: to divide by {} write `{}`",
                    quantity.value.decimal(),
                    inverse.decimal()
                );
                diagnostic = diagnostic.help(help);
            } else if let (true, Some(share)) = (
                measure.dimension == Dimension::NUMBER && most <= Exact::whole(1),
                percent,
            ) && share >= least
                && share <= most
                && quantity.value > Exact::whole(1)
                && matches!(slot.expr.kind, ExprKind::Number(_))
            {
                let percent = format!("{}%", quantity.value.decimal());
                diagnostic = diagnostic
                    .help(format!("write `{percent}` or `{}`", share.decimal()))
                    .edit(slot.span(), percent);
            }
            self.report(&slot.env, diagnostic);
            return None;
        }
        Some(quantity.value)
    }

    fn wrong_unit(&self, slot: &Slot<'a>, quantity: Quantity, measure: &Measure) -> Diagnostic {
        let place = &slot.place;
        let is_literal = matches!(slot.expr.kind, ExprKind::Number(_));
        let span = slot.span();
        let digits = quantity.value.decimal();
        if quantity.dimension == Dimension::NUMBER
            && matches!(
                measure.dimension,
                Dimension::FRAME_RATE | Dimension::FREQUENCY
            )
        {
            let thousand = Exact::whole(1000);
            let is_high = quantity.value >= thousand;
            let (written, kind) = match quantity.value.over(thousand) {
                Some(thousands) if is_high => {
                    (format!("{}kHz", thousands.decimal()), "a sample rate")
                }
                _ => (format!("{digits}fps"), "a frame rate"),
            };
            let mut diagnostic =
                Diagnostic::error(codes::RATE_WITHOUT_UNIT, span, "a rate needs a unit")
                    .help(format!("for {kind}: `{written}`"));
            if is_literal {
                diagnostic = diagnostic.edit(span, written);
            }
            return diagnostic;
        }
        if measure.dimension == Dimension::NUMBER && measure.is_whole {
            let counts = match quantity.dimension {
                Dimension::EPOCHS => "epochs already".to_string(),
                Dimension::SAMPLES | Dimension::FRAMES => "already".to_string(),
                _ => String::new(),
            };
            if !counts.is_empty() {
                let message = format!("`{place}` counts {counts}, its number has no unit");
                let diagnostic = Diagnostic::error(codes::COUNT_WITH_UNIT, span, message);
                let help = format!("write `{place} = {digits}`");
                return if is_literal {
                    diagnostic.help(help).edit(span, digits)
                } else {
                    diagnostic.help(format!(
                        "divide by `1{}` for the number alone",
                        quantity.dimension.unit()
                    ))
                };
            }
        }
        let message = format!(
            "`{place}` takes {}, this is {}",
            measure.noun,
            quantity.dimension.noun()
        );
        let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, span, message);
        let is_share = self.sources.text(span).ends_with('%');
        if is_share && measure.dimension == Dimension::EPOCHS {
            return diagnostic.help("epochs are counted: of `ep = 100`, 10 % are `10ep`");
        }
        if quantity.dimension == Dimension::NUMBER && is_literal {
            let written = format!("{digits}{}", measure.dimension.unit());
            return diagnostic
                .here("a unit is missing")
                .help(format!("write `{written}`"))
                .edit(span, written);
        }
        if measure.noun == catalog::RATE.noun && quantity.dimension == Dimension::TIME {
            return diagnostic
                .help("a rate is a plain number; did you mean `warmup: 2ep` after the range?");
        }
        diagnostic.help(match measure.dimension {
            Dimension::NUMBER => "write a number without a unit".to_owned(),
            dimension if quantity.dimension == Dimension::NUMBER => {
                format!("multiply by `1{}` to give it the unit", dimension.unit())
            }
            dimension => format!("write a number with the unit `{}`", dimension.unit()),
        })
    }

    /// A whole number of the measure.
    pub(super) fn whole(&mut self, slot: &Slot<'a>, measure: &Measure) -> Option<u64> {
        self.quantity(slot, measure)?.to_u64()
    }

    /// One of the words that the place takes.
    pub(super) fn word(&mut self, slot: &Slot<'a>, words: &[&'static str]) -> Option<&'static str> {
        let find = |name: &str| words.iter().copied().find(|w| *w == name);
        if let Some(word) = slot.word().and_then(find) {
            return Some(word);
        }
        let reduced = self.reduce(slot)?;
        if let Some(word) = reduced.word().and_then(find) {
            return Some(word);
        }
        let list: Vec<String> = words.iter().map(|w| format!("`{w}`")).collect();
        let span = slot.span();
        let diagnostic = match reduced.word() {
            Some(name) => {
                let message = format!("`{}` takes {}, not `{name}`", slot.place, list.join(" or "));
                let code = if self.declared(slot.env.module, name).is_some() {
                    codes::WRONG_KIND_OF_VALUE
                } else {
                    codes::UNKNOWN_NAME
                };
                suggest(
                    Diagnostic::error(code, span, message),
                    span,
                    name,
                    words.iter().copied(),
                )
            }
            None => {
                let message = format!(
                    "`{}` takes {}, this is {}",
                    slot.place,
                    list.join(" or "),
                    self.describe(&reduced)
                );
                let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, span, message);
                match quoted(slot) {
                    Some(text) => diagnostic
                        .help(format!("write it without quotes: `{text}`"))
                        .edit(span, text),
                    None => diagnostic,
                }
            }
        };
        self.report(&slot.env, diagnostic);
        None
    }

    /// The members of a list, each in its own place.
    pub(super) fn list(&mut self, slot: &Slot<'a>, noun: &str) -> Option<Vec<Slot<'a>>> {
        let reduced = self.reduce(slot)?;
        if let ExprKind::List(members) = &reduced.expr.kind {
            return Some(members.iter().map(|member| reduced.with(member)).collect());
        }
        let written = self.sources.text(slot.span());
        let members = match &slot.expr.kind {
            ExprKind::Tuple(_) => written.strip_prefix('(').and_then(|w| w.strip_suffix(')')),
            ExprKind::Name(name) if self.declared(slot.env.module, name).is_some() => Some(written),
            ExprKind::On(..) => Some(written),
            ExprKind::Name(_)
            | ExprKind::Number(_)
            | ExprKind::Dims(..)
            | ExprKind::String(_)
            | ExprKind::List(_)
            | ExprKind::Neg(_)
            | ExprKind::Binary(..)
            | ExprKind::Compare(..)
            | ExprKind::Arrow(..)
            | ExprKind::At(..)
            | ExprKind::With(..)
            | ExprKind::Member(..)
            | ExprKind::Index(..)
            | ExprKind::Call(..)
            | ExprKind::Comprehension(..) => None,
        };
        let Some(members) = members else {
            self.wrong(slot, &reduced, &Wanted { noun, ..NUMBER });
            return None;
        };
        let message = format!(
            "`{}` takes {noun}, this is {}",
            slot.place,
            self.describe(slot)
        );
        let list = format!("[{members}]");
        let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, slot.span(), message)
            .help(format!("write `{list}`"))
            .edit(slot.span(), list);
        self.report(&slot.env, diagnostic);
        None
    }

    /// The two members of `(a, b)`.
    pub(super) fn pair(&mut self, slot: &Slot<'a>, measure: &Measure) -> Option<(Exact, Exact)> {
        let reduced = self.reduce(slot)?;
        let members: &'a [Expr] = if let ExprKind::Tuple(members) = &reduced.expr.kind {
            members
        } else {
            &[]
        };
        let [first, second] = members else {
            let noun = Type::Pair(*measure).noun();
            self.wrong(
                slot,
                &reduced,
                &Wanted {
                    noun: &noun,
                    ..NUMBER
                },
            );
            return None;
        };
        let (a, b) = (
            self.quantity(&reduced.with(first), measure),
            self.quantity(&reduced.with(second), measure),
        );
        Some((a?, b?))
    }

    /// The pair of a call's argument whose first number is not greater than its second.
    pub(super) fn interval(&mut self, call: &Call<'a>, name: &str) -> Option<(Exact, Exact)> {
        let parameter = call.operator.parameters.iter().find(|p| p.name == name)?;
        let Type::Pair(measure) = parameter.takes else {
            return None;
        };
        let slot = call.get(name)?.clone();
        let (low, high) = self.pair(&slot, &measure)?;
        if low > high {
            let message = format!("`{name}` goes from the smaller to the larger number");
            let swapped = format!("({}, {})", high.decimal(), low.decimal());
            let diagnostic = Diagnostic::error(codes::OUT_OF_RANGE, slot.span(), message)
                .help(format!("write `{swapped}`"))
                .edit(slot.span(), swapped);
            self.report(&slot.env, diagnostic);
            return None;
        }
        Some((low, high))
    }

    /// The number of a call's argument, by the catalogue's type of the parameter.
    pub(super) fn number_of(&mut self, call: &Call<'a>, name: &str) -> Option<Exact> {
        let parameter = call.operator.parameters.iter().find(|p| p.name == name)?;
        let Type::Quantity(measure) = parameter.takes else {
            return None;
        };
        let slot = call.get(name)?.clone();
        self.quantity(&slot, &measure)
    }

    /// The whole number of a call's argument.
    pub(super) fn whole_of(&mut self, call: &Call<'a>, name: &str) -> Option<u32> {
        self.number_of(call, name)?.to_u32()
    }

    /// The word of a call's argument.
    pub(super) fn word_of(&mut self, call: &Call<'a>, name: &str) -> Option<&'static str> {
        let parameter = call.operator.parameters.iter().find(|p| p.name == name)?;
        let slot = call.get(name)?.clone();
        let words: &[&'static str] = if let Type::Word(words) = parameter.takes {
            words
        } else {
            &["yes", "no"]
        };
        self.word(&slot, words)
    }

    /// A list of whole numbers as positional arguments: `maxpool(1, 4, 4)`.
    pub(super) fn sizes(&mut self, slots: &[Slot<'a>]) -> Option<Vec<u32>> {
        let read: Vec<_> = slots
            .iter()
            .map(|slot| self.whole(slot, &catalog::SMALL_COUNT))
            .collect();
        read.into_iter()
            .map(|n| n.and_then(|n| u32::try_from(n).ok()))
            .collect()
    }

    /// A text in quotes or a bare name.
    pub(super) fn text(&mut self, slot: &Slot<'a>) -> Option<String> {
        if let ExprKind::Name(text) | ExprKind::String(text) = &slot.expr.kind {
            return Some(text.clone());
        }
        self.wrong(
            slot,
            slot,
            &Wanted {
                noun: "a name",
                ..NUMBER
            },
        );
        None
    }

    /// `wanted` members and no other number of them.
    pub(super) fn wrong_count(&mut self, slot: &Slot<'a>, wanted: usize, found: usize) {
        let message = format!(
            "`{}` takes {}, this gives {found}",
            slot.place,
            counted(wanted, "number")
        );
        self.error(slot, codes::WRONG_ARGUMENTS, message);
    }
}
