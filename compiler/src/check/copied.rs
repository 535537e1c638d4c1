//! `CJ(brightness: 0.8)`, `MSC with { min_area = 0.2 }`: changed copies of what has neither parameters nor fields. The message
//! writes out what the declaration would be.

use super::rows::one_line;
use super::{Checker, Slot, Wanted, name_of, named_call};
use crate::catalog;
use crate::codes;
use grammar::ast::{Body, Decl, Expr, ExprKind, Kind};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;

/// Longer declarations are not written out.
const LONGEST: usize = 120;

/// A value that is to be changed, by name or by its position.
struct Change<'a> {
    name: Option<String>,
    position: usize,
    value: &'a Expr,
}

impl<'a> Checker<'a> {
    /// Reports a call or a changed copy of a declaration that is only used by its name. `false`: it is none.
    pub(super) fn is_changed_copy(&mut self, slot: &Slot<'a>, wanted: &Wanted<'_>) -> bool {
        let Some((base, changes)) = changed(slot.expr) else {
            return false;
        };
        let Some(name) = name_of(base).filter(|name| slot.env.bound(name).is_none()) else {
            return false;
        };
        let Some((_, decl)) = self.declared(slot.env.module, name) else {
            return false;
        };
        let kind = decl.kind.value;
        let is_call = matches!(slot.expr.kind, ExprKind::Call(..));
        let is_plain = match kind {
            Kind::Modality | Kind::Data | Kind::Augment | Kind::Layers | Kind::Relaxation => true,
            Kind::Let => !is_call,
            // The fields of a loss are those of its pretraining: see `slips`.
            Kind::Loss | Kind::Pretrain | Kind::Eval | Kind::Table | Kind::Figure => false,
        };
        if !is_plain || !wanted.kinds.contains(&kind) {
            return false;
        }
        let noun = catalog::kind_noun(kind);
        let message = if is_call {
            format!("`{name}` is {noun} as it stands, and takes no arguments")
        } else {
            format!("`with` copies pretrainings and evaluations, `{name}` is {noun}")
        };
        let mut diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, slot.span(), message);
        if let Some((text, is_certain)) = self.rewritten(decl, &changes) {
            diagnostic = diagnostic.help(format!("write the changed one out: `{text}`"));
            diagnostic = if is_certain {
                diagnostic.edit(slot.span(), text)
            } else {
                diagnostic.suggestion(slot.span(), text)
            };
        } else if let Body::Expr(expr) = &decl.body
            && kind != Kind::Let
        {
            let text = one_line(self.sources.text(expr.span));
            if text.len() <= LONGEST {
                diagnostic = diagnostic.help(format!("`{name}` stands for `{text}`"));
            }
        }
        self.report(&slot.env, diagnostic);
        true
    }

    /// What a declaration says with the changes put in, and whether each has its place by name.
    fn rewritten(&self, decl: &'a Decl, changes: &[Change<'a>]) -> Option<(String, bool)> {
        let Body::Expr(expr) = &decl.body else {
            return None;
        };
        let mut edits: Vec<(Span, String)> = vec![];
        for change in changes {
            let value = self.sources.text(change.value.span);
            edits.push(match &change.name {
                Some(name) => match argument(expr, name)? {
                    Place::Value(place) => (place, value.to_owned()),
                    Place::Before(close) => (close, format!(", {name}: {value}")),
                },
                None => (unnamed(expr, change)?, value.to_owned()),
            });
        }
        edits.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
        let mut text = self.sources.text(expr.span).to_owned();
        for (place, new) in &edits {
            let at = |byte: u32| (byte - expr.span.start) as usize;
            text.replace_range(at(place.start)..at(place.end), new);
        }
        let text = one_line(&text);
        let is_certain = changes.iter().all(|change| change.name.is_some());
        (!changes.is_empty() && text.len() <= LONGEST).then_some((text, is_certain))
    }
}

/// What is copied, and what is to be changed in it.
fn changed(expr: &Expr) -> Option<(&Expr, Vec<Change<'_>>)> {
    if let ExprKind::Call(callee, args) = &expr.kind {
        let changes = args.iter().enumerate().map(|(position, arg)| Change {
            name: arg.name.as_ref().map(|name| name.value.clone()),
            position,
            value: &arg.value,
        });
        return Some((callee, changes.collect()));
    }
    if let ExprKind::With(base, block) = &expr.kind {
        let changes = block.fields().enumerate().map(|(position, field)| Change {
            name: Some(field.path.to_string()),
            position,
            value: &field.value,
        });
        return Some((base, changes.collect()));
    }
    None
}

/// Where an argument is written or may be written.
enum Place {
    /// Its value.
    Value(Span),
    /// Before the parenthesis that closes the call.
    Before(Span),
}

/// The place of the argument `name` in a call of an operator, or in a call among its arguments.
fn argument(expr: &Expr, name: &str) -> Option<Place> {
    let (callee, args) = named_call(expr)?;
    let operator = catalog::any_operator(callee)?;
    for (position, arg) in args.iter().enumerate() {
        let own = match &arg.name {
            Some(own) => Some(own.value.as_str()),
            None => operator.parameters.get(position).map(|p| p.name),
        };
        if own == Some(name) {
            return Some(Place::Value(arg.value.span));
        }
    }
    if let Some(inner) = args.iter().find_map(|arg| argument(&arg.value, name)) {
        return Some(inner);
    }
    let is_parameter = operator.parameters.iter().any(|p| p.name == name);
    let close = expr.span.end.checked_sub(1)?;
    is_parameter.then_some(Place::Before(Span {
        start: close,
        end: close,
        ..expr.span
    }))
}

/// The place of a value without a name: a number stands for the first one with its unit, anything else goes by position.
fn unnamed(expr: &Expr, change: &Change<'_>) -> Option<Span> {
    if let ExprKind::Number(number) = &change.value.kind {
        return first_number(expr, number.unit.as_deref());
    }
    let (_, args) = named_call(expr)?;
    args.get(change.position).map(|arg| arg.value.span)
}

fn first_number(expr: &Expr, unit: Option<&str>) -> Option<Span> {
    if let ExprKind::Number(number) = &expr.kind {
        return (number.unit.as_deref() == unit).then_some(expr.span);
    }
    let (_, args) = named_call(expr)?;
    args.iter().find_map(|arg| first_number(&arg.value, unit))
}
