//! The normal form of a loss: a map from term to exact weight.

mod gradients;
mod written;

pub use gradients::{Collapse, Gradients, Lack, Leak, gradients};
pub use written::{Part, Written};

use crate::units::Exact;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A finite weighted sum of terms, sorted, without zero weights. Two losses are equal when their normal forms are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// Terms and weights; use the functions of this module to keep the order.
    pub terms: Vec<(Term, Exact)>,
}

/// A scalar: an operator over tensors.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Term {
    /// The operator.
    pub op: TermOp,
    /// Its arguments; those of a symmetric operator are sorted.
    pub args: Vec<Embedding>,
}

/// Operators from embeddings `[B, D]` to a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TermOp {
    /// Mean cosine similarity of the rows, norms floored at 1e-8.
    Cos,
    /// Mean over the batch of the summed squared differences.
    Mse,
    /// Mean inner product of the rows.
    Dot,
    /// Cross-entropy of the softmax of the first with the second as target distribution.
    Xent,
    /// Cross-entropy of the row's own pair among all pairs of the batch; similarities divided by `t`.
    InfoNce {
        /// Temperature.
        t: Exact,
        /// Rows of the second argument's memory bank that a sample is compared with; `None`: the rest of the batch.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        negatives: Option<u64>,
    },
    /// Mean over dimensions of `max(0, 1 - std)` (VICReg).
    HingeStd,
    /// Sum of squared off-diagonal covariances divided by the width (VICReg).
    Cov,
}

/// A tensor over a view: operators applied to it, the innermost first.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Embedding {
    /// View `view` (from 1) of `modality`, augmented.
    View {
        /// Modality.
        modality: String,
        /// View.
        view: u32,
    },
    /// An operator applied to an embedding.
    Apply(EmbeddingOp, Box<Embedding>),
}

/// Operators from tensor to tensor.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmbeddingOp {
    /// `f`: the encoder of this group, e.g. `v.f`.
    Encode(String),
    /// `h`: the predictor of this group, e.g. `v.h`; `a.h = same(v.h)` is `v.h` here.
    Predict(String),
    /// `sg`: no gradient backwards.
    StopGradient,
    /// `l2`: rows divided by their norm.
    L2,
    /// Multiplication by a number (`x / 0.1` is `Scale(10)`).
    Scale(Exact),
    /// A linear layer without bias whose parameters the loss owns, e.g. SwAV's prototypes.
    Linear(u32),
    /// Sinkhorn-Knopp assignment, three rounds.
    Sinkhorn {
        /// Entropy weight.
        eps: Exact,
    },
    /// A copy of the group that follows it by an exponential moving average.
    Ema {
        /// The followed group.
        group: String,
        /// Decay at the start and at the end (cosine between).
        decay: (Exact, Exact),
    },
    /// A memory bank of one row per sample.
    Memory {
        /// Momentum of an update.
        momentum: Exact,
    },
}

/// Which samples a value is worked out from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Each sample alone, or a mean over samples: parts of a batch can be done apart.
    Sample,
    /// All samples of the batch together.
    Batch,
}

impl TermOp {
    /// Which samples the operator compares. Negatives out of a memory bank are no samples of the batch.
    pub fn scope(self) -> Scope {
        match self {
            TermOp::Cos | TermOp::Mse | TermOp::Dot | TermOp::Xent => Scope::Sample,
            TermOp::InfoNce {
                negatives: Some(_), ..
            } => Scope::Sample,
            TermOp::InfoNce {
                negatives: None, ..
            }
            | TermOp::HingeStd
            | TermOp::Cov => Scope::Batch,
        }
    }

    /// Its name in the language.
    pub fn name(self) -> &'static str {
        match self {
            TermOp::Cos => "cos",
            TermOp::Mse => "mse",
            TermOp::Dot => "dot",
            TermOp::Xent => "xent",
            TermOp::InfoNce { .. } => "info_nce",
            TermOp::HingeStd => "hinge_std",
            TermOp::Cov => "cov",
        }
    }

    /// Exchanging the two arguments changes nothing.
    pub fn is_symmetric(self) -> bool {
        match self {
            TermOp::Cos | TermOp::Mse | TermOp::Dot => true,
            TermOp::Xent | TermOp::InfoNce { .. } | TermOp::HingeStd | TermOp::Cov => false,
        }
    }
}

impl EmbeddingOp {
    /// Which samples the operator compares.
    pub fn scope(&self) -> Scope {
        match self {
            EmbeddingOp::Sinkhorn { .. } => Scope::Batch,
            EmbeddingOp::Encode(_)
            | EmbeddingOp::Predict(_)
            | EmbeddingOp::StopGradient
            | EmbeddingOp::L2
            | EmbeddingOp::Scale(_)
            | EmbeddingOp::Linear(_)
            | EmbeddingOp::Ema { .. }
            | EmbeddingOp::Memory { .. } => Scope::Sample,
        }
    }
}

impl Term {
    /// The term with the arguments of a symmetric operator in order.
    pub fn new(op: TermOp, mut args: Vec<Embedding>) -> Self {
        if op.is_symmetric() {
            args.sort();
        }
        Term { op, args }
    }
}

impl Term {
    /// Which family it belongs to: whether its views differ in modality, and whether they then differ in number.
    fn family(&self) -> (bool, bool) {
        let views: Vec<(&str, u32)> = self.args.iter().map(Embedding::view).collect();
        let first = views.first().copied().unwrap_or_default();
        let is_cross = views.iter().any(|(modality, _)| *modality != first.0);
        (
            is_cross,
            is_cross && views.iter().any(|(_, view)| *view != first.1),
        )
    }
}

impl Embedding {
    /// The view that it is made of: modality and number.
    pub fn view(&self) -> (&str, u32) {
        match self {
            Embedding::View { modality, view } => (modality, *view),
            Embedding::Apply(_, inner) => inner.view(),
        }
    }

    /// The chain of operators alone: the same on view 0, which there is none of.
    pub(crate) fn without_view(&self) -> Embedding {
        match self {
            Embedding::View { modality, .. } => Embedding::View {
                modality: modality.clone(),
                view: 0,
            },
            Embedding::Apply(op, inner) => {
                Embedding::Apply(op.clone(), Box::new(inner.without_view()))
            }
        }
    }

    /// The operators, the outermost first.
    pub fn operators(&self) -> impl Iterator<Item = &EmbeddingOp> {
        let mut here = self;
        std::iter::from_fn(move || match here {
            Embedding::View { .. } => None,
            Embedding::Apply(op, inner) => {
                here = inner;
                Some(op)
            }
        })
    }
}

impl Loss {
    /// One term with weight 1.
    pub fn of(term: Term) -> Self {
        Loss {
            terms: vec![(term, Exact::whole(1))],
        }
    }

    /// The sum. `None` if a weight needs more than 30 digits, as in all of these.
    pub fn plus(&self, other: &Loss) -> Option<Loss> {
        let mut sum: BTreeMap<Term, Exact> = self.terms.iter().cloned().collect();
        for (term, weight) in &other.terms {
            let before = sum.get(term).copied().unwrap_or(Exact::whole(0));
            sum.insert(term.clone(), before.plus(*weight)?);
        }
        let zero = Exact::whole(0);
        Some(Loss {
            terms: sum
                .into_iter()
                .filter(|(_, weight)| *weight != zero)
                .collect(),
        })
    }

    /// Every weight times `factor`.
    pub fn scaled(&self, factor: Exact) -> Option<Loss> {
        if factor == Exact::whole(0) {
            return Some(Loss::default());
        }
        let scaled = self
            .terms
            .iter()
            .map(|(term, weight)| Some((term.clone(), weight.times(factor)?)));
        Some(Loss {
            terms: scaled.collect::<Option<_>>()?,
        })
    }

    /// Weights divided by the number of families that have a term: pairs within a modality (intra), of two modalities at one
    /// view (sync), of two modalities at two views (async). So the released code weighs: its sum over pairs is divided by
    /// twice the enabled families, and a pair that is left out of a family still counts in the divisor.
    pub fn per_family(&self) -> Option<Loss> {
        self.scaled(self.per_family_factor()?)
    }

    /// What [`Loss::per_family`] multiplies by.
    pub fn per_family_factor(&self) -> Option<Exact> {
        let families: BTreeSet<(bool, bool)> = self.terms.iter().map(|(t, _)| t.family()).collect();
        let count = i128::try_from(families.len()).ok().filter(|n| *n > 0)?;
        Some(Exact::new(1, count))
    }

    /// Divided by the sum of absolute weights, so that no sign changes. A loss without terms stays as it is.
    pub fn unit(&self) -> Option<Loss> {
        self.scaled(self.unit_factor()?)
    }

    /// What [`Loss::unit`] multiplies by.
    pub fn unit_factor(&self) -> Option<Exact> {
        let total = self
            .terms
            .iter()
            .try_fold(Exact::whole(0), |sum, (_, weight)| sum.plus(weight.abs()))?;
        if self.terms.is_empty() {
            Some(Exact::whole(1))
        } else {
            Exact::whole(1).over(total)
        }
    }

    /// The weight of a term; 0 where it is absent.
    pub fn weight(&self, term: &Term) -> Exact {
        self.terms
            .iter()
            .find(|(t, _)| t == term)
            .map_or(Exact::whole(0), |(_, weight)| *weight)
    }

    /// The operators that compare all samples of a batch, by name, each once: what several ranks must gather.
    pub fn over_batch(&self) -> Vec<&'static str> {
        let mut names = vec![];
        for (term, _) in &self.terms {
            if term.op.scope() == Scope::Batch {
                names.push(term.op.name());
            }
            let mut operators = term.args.iter().flat_map(Embedding::operators);
            if operators.any(|op| op.scope() == Scope::Batch) {
                names.push("sinkhorn");
            }
        }
        names.sort();
        names.dedup();
        names
    }

    /// Modalities that the terms read, sorted.
    pub fn modalities(&self) -> Vec<&str> {
        let mut read: Vec<&str> = self
            .terms
            .iter()
            .flat_map(|(t, _)| &t.args)
            .map(|e| e.view().0)
            .collect();
        read.sort();
        read.dedup();
        read
    }
}

impl fmt::Display for EmbeddingOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EmbeddingOp::Encode(group) | EmbeddingOp::Predict(group) => f.write_str(group),
            EmbeddingOp::StopGradient => f.write_str("sg"),
            EmbeddingOp::L2 => f.write_str("l2"),
            EmbeddingOp::Scale(by) => write!(f, "{by} *"),
            EmbeddingOp::Linear(width) => write!(f, "linear({width})"),
            EmbeddingOp::Sinkhorn { eps } => write!(f, "sinkhorn[eps: {}]", eps.decimal()),
            EmbeddingOp::Ema { group, .. } => write!(f, "ema({group})"),
            EmbeddingOp::Memory { .. } => f.write_str("memory"),
        }
    }
}

impl fmt::Display for Embedding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Embedding::View { modality, view } => write!(f, "{modality}[{view}]"),
            Embedding::Apply(op, inner) => write!(f, "{op}({inner})"),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.op {
            TermOp::Cos => "cos".to_string(),
            TermOp::Mse => "mse".to_string(),
            TermOp::Dot => "dot".to_string(),
            TermOp::Xent => "xent".to_string(),
            TermOp::InfoNce { t, negatives } => {
                let negatives = negatives.map_or_else(String::new, |n| format!(", negatives: {n}"));
                format!("info_nce[t: {}{negatives}]", t.decimal())
            }
            TermOp::HingeStd => "hinge_std".to_string(),
            TermOp::Cov => "cov".to_string(),
        };
        let args: Vec<String> = self.args.iter().map(Embedding::to_string).collect();
        write!(f, "{name}({})", args.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn z(modality: &str, view: u32) -> Embedding {
        let inner = Embedding::View {
            modality: modality.into(),
            view,
        };
        Embedding::Apply(
            EmbeddingOp::Encode(format!("{modality}.f")),
            Box::new(inner),
        )
    }

    fn cos(a: (&str, u32), b: (&str, u32)) -> Loss {
        Loss::of(Term::new(TermOp::Cos, vec![z(a.0, a.1), z(b.0, b.1)]))
    }

    #[test]
    fn order_and_zeros_do_not_matter() {
        let (x, y) = (cos(("v", 1), ("a", 1)), cos(("v", 2), ("a", 2)));
        assert_eq!(x, cos(("a", 1), ("v", 1)));
        assert_eq!(x.plus(&y), y.plus(&x));
        assert_eq!(
            x.plus(&x.scaled(Exact::whole(-1)).unwrap()),
            Some(Loss::default())
        );
    }

    #[test]
    fn unit_keeps_signs_and_is_idempotent() {
        let loss = cos(("v", 1), ("a", 1))
            .scaled(Exact::whole(-3))
            .unwrap()
            .plus(&cos(("v", 2), ("a", 2)))
            .unwrap();
        let unit = loss.unit().unwrap();
        let weights: Vec<Exact> = unit.terms.iter().map(|(_, w)| *w).collect();
        assert_eq!(weights.len(), 2);
        assert!(weights.contains(&Exact::new(-3, 4)) && weights.contains(&Exact::new(1, 4)));
        assert_eq!(unit.unit(), Some(unit.clone()));
    }
}
