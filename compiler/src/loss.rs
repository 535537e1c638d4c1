//! The normal form of a loss: a map from term to exact weight.

use crate::units::Exact;
use serde::{Deserialize, Serialize};

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
