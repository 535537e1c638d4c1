//! Warnings about who learns from a loss: networks that a constant satisfies, that get no gradient, or that are pushed apart;
//! and what several ranks must gather.

use super::loss::{Context, Summand};
use super::{Checker, Slot};
use crate::codes;
use crate::loss::{Collapse, EmbeddingOp, Lack, Leak, Loss, Term, TermOp, gradients};
use crate::written;
use grammar::diagnostic::{Diagnostic, Edit, Severity};
use grammar::span::Span;
use std::collections::BTreeSet;

impl<'a> Checker<'a> {
    /// What a loss of the user's own does to its networks.
    pub(super) fn warn_about_gradients(&mut self, slot: &Slot<'a>, loss: &Loss, context: &Context) {
        let found = gradients(loss, &|group| !context.fixed.contains(group));
        if found.trained.is_empty() {
            let message = "no network gets a gradient from this loss, so nothing is trained";
            let diagnostic = Diagnostic::error(codes::NOTHING_LEARNS, slot.span(), message)
                .note("every side of every term stands behind `sg`, `ema` or `memory`")
                .help("leave the side that learns open, such as `-cos(p(v[1]), sg(z(v[2])))`");
            self.report(&slot.env, diagnostic);
            return;
        }
        self.warn_own_view(slot, loss, context);
        if let Some(first) = found.repelling.first() {
            self.warn_pushed_apart(slot, (loss, context), first, &found.repelling);
        }
        if !found.untrained.is_empty() {
            self.warn_untrained(slot, loss, &found.untrained);
        }
        let is_alone =
            found.collapsing.len() == 1 && encoders(loss) == found.collapsing[0].encoders;
        // A predictor behind `sg` is the mistake itself: what follows from it is not said again.
        let is_told = found.untrained.iter().any(|group| group.ends_with(".h"));
        if let Some(first) = found.collapsing.first().filter(|_| !is_told) {
            self.warn_collapse(slot, (first, is_alone), &found.collapsing, context);
        }
        if let Some(first) = found.leaking.first() {
            self.warn_leak(slot, first, context);
        }
    }

    /// A view is its own target.
    fn warn_own_view(&mut self, slot: &Slot<'a>, loss: &Loss, context: &Context) {
        let terms = loss.terms.iter().map(|(term, _)| term);
        let own: BTreeSet<&Term> = terms.filter(|term| is_of_one_view(term)).collect();
        let Some(first) = own.first() else {
            return;
        };
        let others = match own.len() {
            1 => String::new(),
            2 => ", and so does one more term".to_owned(),
            n => format!(", and so do {} more terms", n - 1),
        };
        let message = format!(
            "`{}` compares a view with itself{others}",
            written::term(first)
        );
        let mut diagnostic = Diagnostic::warning(codes::OWN_VIEW, slot.span(), message)
            .note("its target is what the network makes of the same view, so that it learns nothing of what two views share")
            .help("compare two views, such as `v[1]` and `v[2]`; in a sum, `m < n in modalities` lets none meet itself");
        let places = self.places_of(slot, context).of_these(&own);
        if let Some(place) = places.first() {
            if slot.span().holds(*place) {
                diagnostic.primary.span = *place;
            } else {
                diagnostic = diagnostic.label(*place, "written here");
            }
        }
        self.report(&slot.env, diagnostic);
    }

    fn warn_pushed_apart(
        &mut self,
        slot: &Slot<'a>,
        (loss, context): (&Loss, &Context),
        term: &Term,
        all: &[Term],
    ) {
        let text = written::term(term);
        let others = match all.len() {
            1 => String::new(),
            2 => ", and one more".to_owned(),
            n => format!(", and {} more", n - 1),
        };
        let (message, help) = match term.op {
            TermOp::Cos | TermOp::Dot => (
                format!("a loss is minimised, so `{text}` pushes the two views apart{others}"),
                format!("write `-{}(...)` to draw them together", term.op.name()),
            ),
            TermOp::Mse | TermOp::Xent | TermOp::InfoNce { .. } => (
                format!("a loss is minimised, so `-{text}` pushes the two views apart{others}"),
                format!("write `{}(...)` without the minus", term.op.name()),
            ),
            TermOp::HingeStd => (
                format!("a loss is minimised, so `-{text}` rewards a variance of zero{others}"),
                "write `hinge_std(...)` without the minus".to_owned(),
            ),
            TermOp::Cov => (
                format!(
                    "a loss is minimised, so `-{text}` lets covariances grow without end{others}"
                ),
                "write `cov(...)` without the minus".to_owned(),
            ),
        };
        let mut diagnostic = Diagnostic::warning(codes::PUSHED_APART, slot.span(), message);
        let places = self.places_of(slot, context);
        let wrong = places.of_these_alone(all);
        let mut summands: Vec<Summand> = vec![];
        for place in &wrong {
            let around = self.summands_at(slot, *place);
            // A minus that stands before nothing but such terms is the mistake, not what is missing within.
            let mut of_these = around
                .iter()
                .take_while(|s| places.is_all_of(s.place, &wrong));
            let subtracted = of_these.find(|summand| summand.is_subtracted());
            let Some(chosen) = subtracted.or(around.first()) else {
                continue;
            };
            if summands.iter().all(|known| known.place != chosen.place) {
                summands.push(*chosen);
            }
        }
        let Some(first) = summands.first() else {
            return self.report(&slot.env, diagnostic.help(help));
        };
        // A declaration may be used elsewhere with another sign before it; what an `allow` is about is the use.
        if slot.span().holds(first.place) {
            diagnostic.primary.span = first.place;
        } else {
            diagnostic = diagnostic.label(first.place, "written here");
        }
        for other in &summands[1..] {
            diagnostic = diagnostic.label(other.place, "and here");
        }
        let written = self.sources.text(first.place);
        let (_, fixed) = first.turned(written);
        let is_short = written.chars().count() <= 60 && !written.contains('\n');
        diagnostic = match is_short {
            true => diagnostic.help(format!("write `{fixed}`")),
            false => diagnostic.help(help),
        };
        // Where nothing draws together, nobody means it.
        let is_all = all.len() == loss.terms.len();
        for summand in &summands {
            let is_certain = is_all && slot.span().holds(summand.place);
            let ((span, text), _) = summand.turned(self.sources.text(summand.place));
            diagnostic.edits.push(Edit {
                span,
                text: text.to_owned(),
                is_certain,
            });
        }
        self.report(&slot.env, diagnostic);
    }

    fn warn_untrained(&mut self, slot: &Slot<'a>, loss: &Loss, untrained: &BTreeSet<String>) {
        let message = match untrained.len() {
            1 => format!("{} gets no gradient from this loss", listed(untrained)),
            _ => format!("{} get no gradient from this loss", listed(untrained)),
        };
        let is_predictor = untrained.iter().any(|group| group.ends_with(".h"));
        let stopped = loss.terms.iter().flat_map(|(term, _)| &term.args);
        let has_memory = stopped
            .clone()
            .any(|e| written::embedding(e).contains("memory("));
        let help = if is_predictor {
            "put `sg` around the target, not around the prediction: `-cos(p(v[1]), sg(z(v[2])))`"
        } else if has_memory {
            "add the term of the other direction, so that each network is compared with the bank of the other"
        } else {
            "add the term of the other direction: `pair(x, y)` of the prelude holds both"
        };
        let diagnostic = Diagnostic::warning(codes::NO_GRADIENT, slot.span(), message)
            .note("wherever it stands, it is behind `sg`, `ema` or `memory`, and keeps the values that it begins with")
            .help(help);
        self.report(&slot.env, diagnostic);
    }

    fn warn_collapse(
        &mut self,
        slot: &Slot<'a>,
        (first, is_alone): (&Collapse, bool),
        all: &[Collapse],
        context: &Context,
    ) {
        let whole: BTreeSet<String> = all.iter().flat_map(|one| one.encoders.clone()).collect();
        let message = if is_alone {
            "nothing prevents collapse to a constant".to_owned()
        } else {
            format!(
                "nothing prevents collapse of {} to a constant",
                listed(&whole)
            )
        };
        let op = first.term.op.name();
        let sign = match first.term.op {
            TermOp::Cos | TermOp::Dot => "-",
            TermOp::Mse
            | TermOp::Xent
            | TermOp::InfoNce { .. }
            | TermOp::HingeStd
            | TermOp::Cov => "",
        };
        let modality = first.term.args[0].view().0;
        let (note, help) = match first.lacks {
            Lack::StopGradient => (
                "a predictor is there, but its target hands the gradient on, so both sides meet at a constant (Sec. 3.2)",
                "wrap the target in `sg`".to_owned(),
            ),
            Lack::Predictor => (
                "a target without gradient does not prevent it alone: no predictor stands before the side that learns (Sec. 3.2)",
                "compare `p(...)`, which has the predictor, with the target instead of `z(...)`"
                    .to_owned(),
            ),
            Lack::Balance => (
                "both sides are scores of the same form, and one class for all samples is a perfect answer (SwAV)",
                "balance the targets: `sg(sinkhorn(..., eps: 0.05))`".to_owned(),
            ),
            Lack::Variance => (
                "covariances of a constant are zero too; a term that holds up the variance is missing (VICReg)",
                format!(
                    "add `hinge_std(...)` of each embedding, such as `hinge_std(z({modality}[1]))`"
                ),
            ),
            Lack::Everything => (
                "no predictor with a stop-gradient, no negatives and no variance term (Sec. 3.2)",
                format!(
                    "let a predictor meet a target without gradient: `{sign}{op}(p({modality}[1]), sg(z({modality}[2])))`"
                ),
            ),
        };
        let mut operators = first.term.args.iter().flat_map(|e| e.operators());
        let fixed = operators.find_map(|op| {
            let (EmbeddingOp::Predict(group) | EmbeddingOp::Ema { group, .. }) = op else {
                return None;
            };
            context.fixed.contains(group).then_some(group)
        });
        let (note, help) = match fixed {
            Some(group) => (
                format!(
                    "`{group}` only normalises: it has no layer that learns, so it predicts nothing (Sec. 3.2)"
                ),
                format!("give it a linear layer, such as `{group} = pred`, and its target an `sg`"),
            ),
            None => (note.to_owned(), help),
        };
        let diagnostic = Diagnostic::warning(codes::COLLAPSE, slot.span(), message)
            .note(note)
            .help(help);
        let open: Vec<Leak> = all.iter().flat_map(|one| one.open.clone()).collect();
        let is_open = fixed.is_none() && first.lacks == Lack::StopGradient;
        let diagnostic = if is_open {
            self.wrapped(slot, diagnostic, &open, context)
        } else {
            diagnostic
        };
        self.report(&slot.env, diagnostic);
    }

    fn warn_leak(&mut self, slot: &Slot<'a>, leak: &Leak, context: &Context) {
        let term = written::term(&leak.term);
        let target = written::embedding(&leak.term.args[leak.target]);
        let message =
            format!("the target of `{term}` hands its gradient on, and those of like terms do not");
        let diagnostic = Diagnostic::warning(codes::LEAKING_TARGET, slot.span(), message)
            .note("the two directions of a pair have one form in the paper (Sec. 3.2)")
            .help(format!("write `sg({target})`"));
        let diagnostic = self.wrapped(slot, diagnostic, std::slice::from_ref(leak), context);
        self.report(&slot.env, diagnostic);
    }

    /// The message with the targets of the terms put into `sg` where the files write them.
    fn wrapped(
        &mut self,
        slot: &Slot<'a>,
        mut diagnostic: Diagnostic,
        targets: &[Leak],
        context: &Context,
    ) -> Diagnostic {
        let places = self.places_of(slot, context);
        let of = |leak: &Leak| places.of_side(&leak.term, leak.target);
        let places: Vec<BTreeSet<Span>> = targets.iter().map(of).collect();
        if places.iter().any(BTreeSet::is_empty) {
            return diagnostic;
        }
        let places: BTreeSet<Span> = places.into_iter().flatten().collect();
        if let Some(first) = places.first() {
            diagnostic = diagnostic.help(format!("write `sg({})`", self.sources.text(*first)));
        }
        for place in places {
            let fixed = format!("sg({})", self.sources.text(place));
            diagnostic = diagnostic.suggestion(place, fixed);
        }
        diagnostic
    }

    /// Statistics over all samples of a batch, which several ranks have in parts.
    pub(super) fn note_scope(&mut self, loss: &Slot<'a>, (form, bn): (&Loss, Option<&Slot<'a>>)) {
        let of_loss = Some(form.over_batch()).filter(|names| !names.is_empty());
        let told = [
            (!self.is_shipped(loss.span().file))
                .then(|| Some((loss.clone(), names(&of_loss?))))
                .flatten(),
            bn.filter(|slot| !self.is_shipped(slot.span().file))
                .map(|slot| (slot.clone(), "`bn = joint` is".to_owned())),
        ];
        for (slot, what) in told.into_iter().flatten() {
            let message = format!("{what} worked out from all samples of a batch together");
            let mut diagnostic = Diagnostic::warning(codes::WHOLE_BATCH, slot.span(), message)
                .note("a run over several ranks gathers the embeddings, or their statistics, of all ranks first; of a part of the batch it is another loss");
            diagnostic.severity = Severity::Note;
            diagnostic.is_quiet = true;
            self.report(&slot.env, diagnostic);
        }
    }
}

/// Are both sides of a term made of one view? Targets that are balanced over the batch, or come from a memory, are more than that.
fn is_of_one_view(term: &Term) -> bool {
    let is_more = |op: &EmbeddingOp| match op {
        EmbeddingOp::Sinkhorn { .. } | EmbeddingOp::Memory { .. } => true,
        EmbeddingOp::Encode(_)
        | EmbeddingOp::Predict(_)
        | EmbeddingOp::StopGradient
        | EmbeddingOp::L2
        | EmbeddingOp::Scale(_)
        | EmbeddingOp::Linear(_)
        | EmbeddingOp::Ema { .. } => false,
    };
    match term.args.as_slice() {
        [x, y] => x.view() == y.view() && !term.args.iter().any(|e| e.operators().any(is_more)),
        _ => false,
    }
}

/// Every encoder of a loss.
fn encoders(loss: &Loss) -> BTreeSet<String> {
    let all = loss.terms.iter().flat_map(|(term, _)| &term.args);
    all.filter_map(|embedding| {
        let last = embedding.operators().last()?;
        if let EmbeddingOp::Encode(group) | EmbeddingOp::Ema { group, .. } = last {
            Some(group.clone())
        } else {
            None
        }
    })
    .collect()
}

/// `` `v.f` and `a.f` ``.
fn listed(groups: &BTreeSet<String>) -> String {
    let quoted: Vec<String> = groups.iter().map(|group| format!("`{group}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// `` `cov` and `hinge_std` are ``.
fn names(operators: &[&str]) -> String {
    let all = listed(&operators.iter().map(|name| (*name).to_owned()).collect());
    let verb = if operators.len() == 1 { "is" } else { "are" };
    format!("{all} {verb}")
}
