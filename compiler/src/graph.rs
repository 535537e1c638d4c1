//! The experiment graph: one training step as nodes and edges.

use crate::loss::TermOp;
use crate::units::Exact;
use serde::{Deserialize, Serialize};

/// One operation of the graph. B is the batch, D the width of an embedding. Views are numbered from 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "op")]
pub enum Node {
    /// A sample of the data set. No inputs.
    Source,
    /// The windows of all views of all declared modalities, by the relaxation policy. Input: the source.
    Sample,
    /// Decoded ticks (frames `[T, H, W, 3]` u8, or samples `[N]` f32) that start with the window of `views[0]`. Input: the sample.
    Decode {
        /// Modality.
        modality: String,
        /// The views cut out of it; more than one after decode sharing.
        views: Vec<u32>,
        /// Frames or samples.
        length: u32,
    },
    /// One view's window cut out of decoded ticks. Input: the decode.
    Slice {
        /// Modality.
        modality: String,
        /// View.
        view: u32,
        /// First tick.
        start: u32,
        /// Number of ticks.
        length: u32,
    },
    /// The view augmented and converted: `[B, 3, T, H, W]` or `[B, 1, bands, columns]`. Random numbers at `v/1/...`. Input: the slice.
    Augment {
        /// Modality.
        modality: String,
        /// View.
        view: u32,
    },
    /// `z = f(x)`: `[B, D]`. Input: an augmented view.
    Encode {
        /// Parameter group, `v.f`.
        group: String,
    },
    /// `p = h(z)`: `[B, D]`. Input: an embedding.
    Predict {
        /// Parameter group, `v.h`.
        group: String,
    },
    /// The identity forwards, no gradient backwards. Input: an embedding.
    StopGradient,
    /// Rows divided by their norm. Input: an embedding.
    L2,
    /// Multiplication by a number. Input: an embedding.
    Scale {
        /// The factor.
        by: Exact,
    },
    /// A scalar. Inputs: the arguments in order.
    Term {
        /// The operator.
        term: TermOp,
    },
    /// The objective, a scalar: the weighted sum of the inputs.
    Sum {
        /// A weight for each input.
        weights: Vec<Exact>,
    },
}
