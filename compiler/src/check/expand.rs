//! Names and calls: what they stand for, and the arguments of operators in their places.

use super::{Bound, Checker, Env, MOST_STEPS, Slot, counted, name_of, named_call, suggest};
use crate::catalog::{self, Family, Operator, Type};
use crate::codes;
use grammar::ast::{Arg, Body, Decl, Expr, ExprKind, Kind};
use grammar::diagnostic::Diagnostic;
use grammar::span::Spanned;
use std::collections::BTreeMap;

/// A call of an operator with its arguments in place.
pub(crate) struct Call<'a> {
    pub(super) operator: &'static Operator,
    named: BTreeMap<&'static str, Slot<'a>>,
    pub(super) positional: Vec<Slot<'a>>,
    /// Arguments that are called as a modality, with the name's place.
    pub(super) modalities: Vec<(&'a Spanned<String>, Slot<'a>)>,
}

impl<'a> Call<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&Slot<'a>> {
        self.named.get(name)
    }
}

impl<'a> Checker<'a> {
    /// What comes now may be expanded in [`MOST_STEPS`], or in what is left of them for the file.
    pub(super) fn allow_steps(&mut self) {
        self.steps_left += self.budget;
        self.budget = MOST_STEPS.min(self.steps_left);
        self.steps_left -= self.budget;
    }

    /// Counts one step of expansion. `None`: there were too many, in number or in depth.
    pub(super) fn step(&mut self, slot: &Slot<'a>) -> Option<()> {
        if self.is_exhausted {
            return None;
        }
        if self.budget == 0 || slot.env.depth() > 200 {
            self.is_exhausted = true;
            if slot.env.is_ring() {
                let message = format!("`{}` is worked out of itself", slot.place);
                let diagnostic = Diagnostic::error(codes::RING, slot.span(), message)
                    .note(
                        "its value names another field or a definition whose value names it again",
                    )
                    .help("write one of them without the others");
                self.report(&slot.env, diagnostic);
                return None;
            }
            let message = format!("`{}` expands to more than any experiment needs", slot.place);
            let diagnostic = Diagnostic::error(codes::NOTHING_TO_MINIMISE, slot.span(), message)
                .note("names and functions stand for their definitions, and these stand for one another too often");
            self.report(&slot.env, diagnostic);
            return None;
        }
        self.budget -= 1;
        Some(())
    }

    /// Follows names, and calls of the file's own functions, to the expression that they stand for. A name that is not
    /// declared stays as it is: it may be a word of the language. `None`: a mistake that is reported already.
    pub(super) fn reduce(&mut self, slot: &Slot<'a>) -> Option<Slot<'a>> {
        let mut slot = slot.clone();
        loop {
            self.step(&slot)?;
            let followed = if let ExprKind::Name(name) = &slot.expr.kind {
                self.follow_name(&slot, name)?
            } else if let ExprKind::Member(base, name) = &slot.expr.kind {
                self.follow_member(&slot, base, name)?
            } else {
                self.follow_call(&slot)?
            };
            match followed {
                Some((expr, env)) => {
                    let place = slot.place;
                    slot = Slot { expr, env, place };
                }
                None => return Some(slot),
            }
        }
    }

    /// What a name stands for, or nothing where it stays as it is.
    #[allow(clippy::type_complexity)]
    fn follow_name(&mut self, slot: &Slot<'a>, name: &str) -> Option<Option<(&'a Expr, Env<'a>)>> {
        match slot.env.bound(name) {
            Some(Bound::Expr(expr, env)) => return Some(Some((expr, env.clone()))),
            Some(Bound::Loss(_)) => return Some(None),
            Some(Bound::Unknown) => return None,
            None => {}
        }
        if self.is_poisoned(slot.env.module, name) {
            return None;
        }
        if let Some((module, decl)) = self.declared(slot.env.module, name) {
            let Body::Expr(expr) = &decl.body else {
                return Some(None);
            };
            if !decl.params.is_empty() {
                return Some(None);
            }
            return Some(Some((expr, slot.env.inside(module, slot.span()))));
        }
        // A word of the language keeps its meaning inside a record that has a field of that name, such as `bn`.
        let record = slot.env.record.clone();
        match record.filter(|_| catalog::any_operator(name).is_none()) {
            Some(record) => self.value_of(&record, slot, name),
            None => Some(None),
        }
    }

    /// Follows names, fields and members one by one to the name of a declaration of this kind. Nothing where the way does not
    /// lead to one.
    pub(super) fn declaration_behind(&mut self, slot: &Slot<'a>, kind: Kind) -> Option<Slot<'a>> {
        let mut slot = slot.clone();
        loop {
            self.step(&slot)?;
            let followed = if let ExprKind::Name(name) = &slot.expr.kind {
                let is_free = slot.env.bound(name).is_none();
                let declared = self.declared(slot.env.module, name);
                if is_free && declared.is_some_and(|(_, decl)| decl.kind.value == kind) {
                    return Some(slot);
                }
                self.follow_name(&slot, name)?
            } else if let ExprKind::Member(base, name) = &slot.expr.kind {
                self.follow_member(&slot, base, name)?
            } else {
                return None;
            };
            let (expr, env) = followed?;
            slot = Slot { expr, env, ..slot };
        }
    }

    /// What a call of one of the file's own functions stands for, or nothing where it is no such call.
    #[allow(clippy::type_complexity)]
    fn follow_call(&mut self, slot: &Slot<'a>) -> Option<Option<(&'a Expr, Env<'a>)>> {
        let Some((name, args)) = named_call(slot.expr) else {
            return Some(None);
        };
        let function = self.declared(slot.env.module, name);
        let Some((module, decl)) = function.filter(|(_, decl)| !decl.params.is_empty()) else {
            return Some(None);
        };
        if self.is_poisoned(slot.env.module, name) {
            return None;
        }
        let Body::Expr(expr) = &decl.body else {
            return Some(None);
        };
        let args = self.match_params(slot, name, decl, args)?;
        let mut env = slot.env.inside(module, slot.span());
        for (param, arg) in decl.params.iter().zip(args) {
            env = env.bind(&param.value, Bound::Expr(arg, slot.env.clone()));
        }
        Some(Some((expr, env)))
    }

    /// The arguments of a call of a file's own function in the order of its parameters.
    pub(super) fn match_params(
        &mut self,
        slot: &Slot<'a>,
        name: &str,
        decl: &'a Decl,
        args: &'a [Arg],
    ) -> Option<Vec<&'a Expr>> {
        let mut placed: Vec<Option<&'a Expr>> = vec![None; decl.params.len()];
        let mut fits = args.len() == decl.params.len();
        for (position, arg) in args.iter().enumerate() {
            let index = match &arg.name {
                None => Some(position),
                Some(name) => decl.params.iter().position(|p| p.value == name.value),
            };
            match index.and_then(|i| placed.get_mut(i)) {
                Some(place @ None) => *place = Some(&arg.value),
                Some(Some(_)) | None => fits = false,
            }
        }
        if !fits || placed.iter().any(Option::is_none) {
            let params: Vec<&str> = decl.params.iter().map(|p| p.value.as_str()).collect();
            let message = format!(
                "`{name}` takes {}, this gives {}",
                counted(params.len(), "argument"),
                args.len()
            );
            let diagnostic = Diagnostic::error(codes::WRONG_ARGUMENTS, slot.span(), message)
                .label(decl.name.span, "defined here")
                .help(format!("write `{name}({})`", params.join(", ")));
            self.report(&slot.env, diagnostic);
            return None;
        }
        Some(placed.into_iter().flatten().collect())
    }

    /// Reads `name(args)` or a bare `name` as an operator of a family. `None` inside: it is something else, and nothing was
    /// reported. `Err`: it is such an operator with a mistake that is reported.
    pub(super) fn operator_call(
        &mut self,
        slot: &Slot<'a>,
        family: Family,
    ) -> Result<Option<Call<'a>>, ()> {
        let bare = name_of(slot.expr).map(|name| (name, &[][..]));
        let Some((name, args)) = named_call(slot.expr).or(bare) else {
            return Ok(None);
        };
        let Some(operator) = catalog::operator(family, name) else {
            return Ok(None);
        };
        if operator.is_later {
            let message =
                format!("`{name}` is part of the language, but this version cannot run it");
            let known: Vec<String> = catalog::operators_of(family)
                .map(|o| format!("`{o}`"))
                .collect();
            let mut diagnostic = Diagnostic::error(codes::NOT_AVAILABLE, slot.span(), message);
            if known.len() <= 4 {
                diagnostic = diagnostic.help(format!("what runs here: {}", known.join(", ")));
            }
            self.report(&slot.env, diagnostic);
            return Err(());
        }
        self.place_arguments(slot, operator, args)
            .map(Some)
            .ok_or(())
    }

    /// The modalities that a module knows by name.
    fn modalities_known(&self, module: usize) -> Vec<&'a str> {
        let known = self.names[module].iter();
        known
            .filter(|(_, (_, decl))| decl.kind.value == Kind::Modality)
            .map(|(name, _)| *name)
            .collect()
    }

    /// Puts each argument to its parameter. All mistakes of one call are reported.
    fn place_arguments(
        &mut self,
        slot: &Slot<'a>,
        operator: &'static Operator,
        args: &'a [Arg],
    ) -> Option<Call<'a>> {
        if self.splits_its_range(slot, operator, args) {
            return None;
        }
        let mut named: BTreeMap<&'static str, Slot<'a>> = BTreeMap::new();
        let mut positional = vec![];
        let mut modalities: Vec<(&'a Spanned<String>, Slot<'a>)> = vec![];
        let mut is_right = true;
        for arg in args {
            let Some(name) = &arg.name else {
                let next = operator.parameters.get(positional.len());
                if operator.is_variadic {
                    positional.push(Slot::new(&arg.value, slot.env.clone(), operator.name));
                } else if let Some(parameter) = next {
                    let place = if operator.parameters.len() == 1 {
                        operator.name
                    } else {
                        parameter.name
                    };
                    positional.push(Slot::new(&arg.value, slot.env.clone(), place));
                    named.insert(parameter.name, positional[positional.len() - 1].clone());
                } else {
                    let most = counted(operator.parameters.len(), "argument");
                    let message = format!("`{}` takes {most}, this is one more", operator.name);
                    self.report(
                        &slot.env,
                        Diagnostic::error(codes::WRONG_ARGUMENTS, arg.value.span, message),
                    );
                    is_right = false;
                }
                continue;
            };
            let parameter = operator.parameters.iter().find(|p| p.name == name.value);
            let named_modalities: Vec<&'a str> = match operator.per_modality {
                Some(_) => self.modalities_known(slot.env.module),
                None => vec![],
            };
            if parameter.is_none() && named_modalities.contains(&name.value.as_str()) {
                let argument = Slot::new(&arg.value, slot.env.clone(), &name.value);
                if modalities
                    .iter()
                    .any(|(known, _)| known.value == name.value)
                {
                    let message = format!("`{}` is set twice in one call", name.value);
                    self.report(
                        &slot.env,
                        Diagnostic::error(codes::SET_TWICE, name.span, message),
                    );
                    is_right = false;
                }
                modalities.push((name, argument));
                continue;
            }
            let Some(parameter) = parameter else {
                let known = operator.parameters.iter().map(|p| p.name);
                let known: Vec<&str> = known.chain(named_modalities).collect();
                // The name of a modality, say, that the missing module declares.
                if self.modules[slot.env.module].lacks_a_module {
                    is_right = false;
                    continue;
                }
                let message = format!("`{}` has no argument `{}`", operator.name, name.value);
                let mut diagnostic = Diagnostic::error(codes::UNKNOWN_FIELD, name.span, message);
                if !known.is_empty() {
                    let list: Vec<String> = known.iter().map(|k| format!("`{k}`")).collect();
                    diagnostic = diagnostic.note(format!("its arguments: {}", list.join(", ")));
                }
                let is_near = !super::nearest(&name.value, known.iter().copied()).is_empty();
                let elsewhere = catalog::ELSEWHERE.iter().find(|(n, _)| *n == name.value);
                let of_clip = catalog::PARTS_OF_A_CLIP.contains(&name.value.as_str());
                let is_a_place = matches!(name.value.as_str(), "root" | "path");
                let is_said_elsewhere = operator.family == Family::Optimiser
                    || operator.family == Family::Data && is_a_place;
                if let (true, false, Some((_, help))) = (is_said_elsewhere, is_near, elsewhere) {
                    diagnostic = diagnostic.help(*help);
                } else if let (Family::Data, false, true) = (operator.family, is_near, of_clip) {
                    let help = "the clip of a modality says it: `modality w = video(clip: 8x112px @ 16fps)`";
                    diagnostic = diagnostic.help(help);
                } else if let ("video" | "audio", true) = (operator.name, of_clip) {
                    let clip = if operator.name == "video" {
                        "8x112px @ 16fps"
                    } else {
                        "2s @ 16kHz"
                    };
                    let help = format!("the clip says it: `clip: {clip}`");
                    diagnostic = diagnostic.help(help);
                }
                let diagnostic = suggest(diagnostic, name.span, &name.value, known.into_iter());
                self.report(&slot.env, diagnostic);
                is_right = false;
                continue;
            };
            let argument = Slot::new(&arg.value, slot.env.clone(), parameter.name);
            if named.insert(parameter.name, argument).is_some() {
                let message = format!("`{}` is set twice in one call", parameter.name);
                self.report(
                    &slot.env,
                    Diagnostic::error(codes::SET_TWICE, name.span, message),
                );
                is_right = false;
            }
        }
        let missing = operator
            .parameters
            .iter()
            .filter(|p| p.is_required && !named.contains_key(p.name));
        let missing: Vec<String> = missing.map(|p| format!("`{}`", p.name)).collect();
        // Where the call has a mistake of syntax, that is what is wrong with it.
        let call = slot.span();
        let is_broken = self
            .broken
            .iter()
            .any(|place| place.file == call.file && (call.start..call.end).contains(&place.start));
        is_right &= !is_broken;
        if !missing.is_empty() && is_right {
            let message = format!("`{}` needs {}", operator.name, missing.join(" and "));
            let kinds: Vec<String> = operator
                .parameters
                .iter()
                .filter(|p| p.is_required && !named.contains_key(p.name))
                .map(|p| format!("`{}` takes {}", p.name, p.takes.noun()))
                .collect();
            let mut diagnostic = Diagnostic::error(codes::MISSING_FIELD, slot.span(), message)
                .note(kinds.join("; "));
            let missing = operator
                .parameters
                .iter()
                .filter(|p| p.is_required && !named.contains_key(p.name));
            let examples: Option<Vec<String>> = missing
                .map(|p| Some(format!("{}: {}", p.name, p.takes.example()?)))
                .collect();
            if let Some(examples) = examples {
                diagnostic = diagnostic.help(format!("for example `{}`", examples.join(", ")));
            }
            self.report(&slot.env, diagnostic);
            is_right = false;
        }
        is_right.then_some(Call {
            operator,
            named,
            positional,
            modalities,
        })
    }

    /// `cosine(0.0002, 0, warmup: 2)`, `cosine(from: 0.0002, to: 0)`: the two ends of a range as two arguments. The message
    /// writes the call out, with the units that are missing.
    fn splits_its_range(
        &mut self,
        slot: &Slot<'a>,
        operator: &'static Operator,
        args: &'a [Arg],
    ) -> bool {
        let [first, second, rest @ ..] = args else {
            return false;
        };
        let is_range = operator.parameters.first().map(|p| p.takes) == Some(Type::Range);
        let names = [first, second].map(|arg| arg.name.as_ref().map(|name| name.value.as_str()));
        let are_ends = match names {
            [None, None] => {
                is_plain(&first.value) && !has_unit(&second.value) || is_plain(&second.value)
            }
            [Some(from), Some(to)] => catalog::ENDS.contains(&(from, to)),
            [None, Some(_)] | [Some(_), None] => false,
        };
        let is_arrow = |arg: &Arg| matches!(arg.value.kind, ExprKind::Arrow(..));
        if !is_range || !are_ends || is_arrow(first) || is_arrow(second) {
            return false;
        }
        // What is given without a name continues behind the range.
        let mut next = operator.parameters.iter().skip(1);
        let written: Vec<String> = rest
            .iter()
            .map(|arg| {
                let text = self.sources.text(arg.value.span);
                let (prefix, parameter) = match &arg.name {
                    Some(name) => {
                        let mut all = operator.parameters.iter();
                        let parameter = all.find(|p| p.name == name.value);
                        (format!("{}: ", name.value), parameter)
                    }
                    None => (String::new(), next.next()),
                };
                let unit = parameter.map_or(String::new(), |p| unit_lacking(&arg.value, &p.takes));
                format!("{prefix}{text}{unit}")
            })
            .collect();
        let [from, to] = [first, second].map(|arg| self.sources.text(arg.value.span));
        let all: Vec<String> = std::iter::once(format!("{from} -> {to}"))
            .chain(written)
            .collect();
        let call = format!("{}({})", operator.name, all.join(", "));
        let message = format!(
            "`{}` takes two rates `from -> to`, these are two numbers",
            operator.name
        );
        let place = first.value.span.to(second.value.span);
        let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, place, message)
            .help(format!("write `{call}`"))
            .edit(slot.span(), call);
        self.report(&slot.env, diagnostic);
        true
    }
}

/// Is it a number written without a unit?
fn is_plain(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Number(number) if number.unit.is_none())
}

fn has_unit(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Number(number) if number.unit.is_some())
}

/// The unit that a number written without one lacks where `takes` wants one.
fn unit_lacking(expr: &Expr, takes: &Type) -> String {
    match (&expr.kind, takes) {
        (ExprKind::Number(number), Type::Quantity(measure)) if number.unit.is_none() => {
            measure.dimension.unit().to_string()
        }
        _ => String::new(),
    }
}
