//! Warnings about what a loss says.

use super::loss::Context;
use super::{Checker, Slot};
use crate::codes;
use crate::loss::Loss;
use crate::units::Exact;
use grammar::ast::{BinaryOp, Expr, ExprKind};
use grammar::diagnostic::{Diagnostic, Severity};

impl<'a> Checker<'a> {
    /// Warnings about a loss of the user's own.
    pub(super) fn warn_about_loss(
        &mut self,
        slot: &Slot<'a>,
        loss: &Loss,
        weights: Option<&str>,
        context: &Context,
    ) {
        if self.is_shipped(slot.span().file) {
            return;
        }
        self.warn_about_gradients(slot, loss, context);
        let kind = |term: &crate::loss::Term| std::mem::discriminant(&term.op);
        let is_mixed = loss
            .terms
            .windows(2)
            .any(|pair| kind(&pair[0].0) != kind(&pair[1].0));
        if weights == Some("unit") && is_mixed {
            let message = "`weights = unit` gives one common scale to different operators";
            let diagnostic = Diagnostic::warning(codes::MIXED_SCALES, slot.span(), message).help(
                match by_operator(loss) {
                    Some(weights) => format!("write `weights = exact` to keep {weights}"),
                    None => "write `weights = exact` to keep the weights as written".to_owned(),
                },
            );
            self.report(&slot.env, diagnostic);
        }
        let pairs = loss
            .terms
            .iter()
            .all(|(t, _)| matches!(t.args.as_slice(), [x, y] if x.view().0 != y.view().0));
        let shares = |part: &str| {
            let mut owners: Vec<&String> = context
                .groups
                .iter()
                .filter(|(path, _)| path.ends_with(part))
                .map(|(_, (owner, _))| owner)
                .collect();
            let before = owners.len();
            owners.sort();
            owners.dedup();
            owners.len() < before
        };
        if pairs && shares(".h") && !shares(".f") {
            let mut diagnostic = Diagnostic::warning(
                codes::ONLY_THROUGH_LOSS,
                slot.span(),
                "the networks of the modalities meet only through the loss",
            )
            .note("every term pairs two modalities, and they share a predictor and no encoder")
            .help(
                "add a term within each modality, such as `intra`, or give each its own predictor",
            );
            diagnostic.severity = Severity::Note;
            self.report(&slot.env, diagnostic);
        }
        self.warn_counted_twice(slot, loss, context);
    }

    /// `intra + v1v2`: one summand holds all terms of another.
    fn warn_counted_twice(&mut self, slot: &Slot<'a>, whole: &Loss, context: &Context) {
        let mut names: Vec<&'a Expr> = vec![];
        summands(slot.expr, &mut names);
        let mut known: Vec<(&'a Expr, String, Loss)> = vec![];
        for expr in names {
            let before = self.found.len();
            let loss = self.normal_form(&slot.with(expr), context);
            self.found.truncate(before);
            let Some(loss) = loss else { continue };
            let name = self.sources.text(expr.span).to_string();
            let holds = |big: &Loss, small: &Loss| {
                small
                    .terms
                    .iter()
                    .all(|(t, _)| big.weight(t) != Exact::whole(0))
            };
            for (_, other, other_loss) in &known {
                let (small, of_small, big) =
                    match (holds(other_loss, &loss), holds(&loss, other_loss)) {
                        (true, _) => (&name, &loss, other),
                        (false, true) => (other, other_loss, &name),
                        (false, false) => continue,
                    };
                let message = format!("`{small}` is already in `{big}`");
                let raised = match times_in(of_small, whole) {
                    Some(times) if times == Exact::whole(2) => "doubled".to_owned(),
                    Some(times) if times > Exact::whole(0) => format!("{times} of its own"),
                    Some(_) | None => "raised".to_owned(),
                };
                let diagnostic = Diagnostic::warning(codes::COUNTED_TWICE, expr.span, message)
                    .note(format!("the total weight of `{small}` is {raised}"))
                    .help("drop one of the two");
                self.report(&slot.env, diagnostic);
            }
            known.push((expr, name, loss));
        }
    }
}

/// `25 of `mse` and 1 of `cov``, where all terms of an operator have one weight.
fn by_operator(loss: &Loss) -> Option<String> {
    let mut known: Vec<(&str, Exact)> = vec![];
    for (term, weight) in &loss.terms {
        let name = term.op.name();
        match known.iter().find(|(known, _)| *known == name) {
            Some((_, first)) if first == weight => {}
            Some(_) => return None,
            None => known.push((name, *weight)),
        }
    }
    let texts: Vec<String> = known
        .iter()
        .map(|(name, weight)| format!("{weight} of `{name}`"))
        .collect();
    let (last, rest) = texts.split_last()?;
    Some(format!("{} and {last}", rest.join(", ")))
}

/// How many times `small` stands in `whole`, where that is the same of all its terms.
fn times_in(small: &Loss, whole: &Loss) -> Option<Exact> {
    let mut times = small
        .terms
        .iter()
        .map(|(term, weight)| whole.weight(term).over(*weight));
    let first = times.next()??;
    times.all(|other| other == Some(first)).then_some(first)
}

/// The names that a sum adds, with or without a factor.
fn summands<'a>(expr: &'a Expr, names: &mut Vec<&'a Expr>) {
    if let ExprKind::Binary(op, left, right) = &expr.kind {
        summands(left, names);
        if op.value != BinaryOp::Div {
            summands(right, names);
        }
    } else if let ExprKind::Name(_) = &expr.kind {
        names.push(expr);
    }
}
