//! Losses as one would write them, term by term, a line each.

use super::number;
use crate::loss::{Embedding, EmbeddingOp, Loss, Term, TermOp};
use crate::units::Exact;

/// `1/12 * cos(h(f(a[1])), sg(f(v[1])))` and so on, with `f` and `h` of each view's own modality. A function that keeps a state
/// (`ema`, `memory`) stands at its view with its settings.
pub(super) fn loss(loss: &Loss) -> String {
    let terms = loss.terms.iter().enumerate();
    let terms = terms.map(|(position, (of, weight))| {
        let is_negative = *weight < Exact::whole(0);
        let sign = match (position, is_negative) {
            (0, false) => "",
            (0, true) => "-",
            (_, false) => "\n    + ",
            (_, true) => "\n    - ",
        };
        let factor = weight.abs();
        let factor = if factor == Exact::whole(1) {
            String::new()
        } else {
            format!("{factor} * ")
        };
        format!("{sign}{factor}{}", term(of))
    });
    terms.collect()
}

/// `cos(h(f(a[1])), sg(f(v[1])))`.
pub(crate) fn term(term: &Term) -> String {
    let mut args: Vec<String> = term.args.iter().map(embedding).collect();
    if let TermOp::InfoNce { t, negatives } = term.op {
        args.push(format!("t: {}", number(t)));
        args.extend(negatives.map(|n| format!("negatives: {n}")));
    }
    format!("{}({})", term.op.name(), args.join(", "))
}

/// `sg(f(v[1]))`.
pub(crate) fn embedding(of: &Embedding) -> String {
    let (op, inner) = match of {
        Embedding::View { modality, view } => return format!("{modality}[{view}]"),
        Embedding::Apply(op, inner) => (op, embedding(inner)),
    };
    match op {
        EmbeddingOp::Encode(_) => format!("f({inner})"),
        EmbeddingOp::Predict(_) => format!("h({inner})"),
        EmbeddingOp::StopGradient => format!("sg({inner})"),
        EmbeddingOp::L2 => format!("l2({inner})"),
        EmbeddingOp::Scale(by) => format!("{inner} * {by}"),
        EmbeddingOp::Linear(width) => format!("linear({width})({inner})"),
        EmbeddingOp::Sinkhorn { eps } => format!("sinkhorn({inner}, eps: {})", number(*eps)),
        EmbeddingOp::Ema {
            group,
            decay: (from, to),
        } => {
            let function = if group.ends_with(".h") { "h" } else { "f" };
            let decay = if from == to {
                number(*from)
            } else {
                format!("cosine({} -> {})", number(*from), number(*to))
            };
            format!("ema({function}, decay: {decay})({inner})")
        }
        EmbeddingOp::Memory { momentum } => {
            format!("memory({inner}, momentum: {})", number(*momentum))
        }
    }
}
