//! Shapes and number types of what the nodes make.

use super::{Graph, Id, Node, networks};
use crate::hir::{Clip, Network, Precision, Pretrain};
use crate::loss::EmbeddingOp;
use std::fmt;

/// The output of a node: `f32[512, 2048]`. Up to the augmented view it is that of one sample, after it that of the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// `u8`, `f32`, `f64`.
    pub dtype: &'static str,
    /// Lengths; a letter where the source decides.
    pub dims: Vec<Dim>,
}

/// The length of one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dim {
    /// A number.
    Known(u32),
    /// The source's: `h`, `w`.
    Source(char),
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dims: Vec<String> = self.dims.iter().map(ToString::to_string).collect();
        write!(f, "{}[{}]", self.dtype, dims.join(", "))
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dim::Known(n) => n.fmt(f),
            Dim::Source(letter) => letter.fmt(f),
        }
    }
}

/// The network of a parameter group such as `v.f`.
pub fn network<'a>(pretrain: &'a Pretrain, group: &str) -> Option<&'a Network> {
    let (modality, part) = group.split_once('.')?;
    let modality = pretrain.modality(modality)?;
    let network = if part == "f" {
        Some(&modality.f)
    } else {
        modality.h.as_ref()
    };
    match network?.same.as_deref() {
        Some(other) if other != group => self::network(pretrain, other),
        Some(_) | None => network,
    }
}

/// The width of the embedding that `id` makes; `None` for nodes that make none.
pub fn width(graph: &Graph, pretrain: &Pretrain, id: Id) -> Option<u32> {
    match graph.node(id) {
        Node::Encode { group } | Node::Predict { group } => network(pretrain, group)?.width(),
        Node::Operator {
            operator: EmbeddingOp::Linear(width),
        } => Some(*width),
        Node::Operator {
            operator: EmbeddingOp::Ema { group, .. },
        } => network(pretrain, group)?.width(),
        Node::StopGradient | Node::L2 | Node::Scale { .. } | Node::Operator { .. } => {
            width(graph, pretrain, *graph.inputs(id).first()?)
        }
        Node::Source
        | Node::Sample
        | Node::Decode { .. }
        | Node::Slice { .. }
        | Node::Augment { .. }
        | Node::Term { .. }
        | Node::Sum { .. } => None,
    }
}

/// What `id` makes; `None` for clips and times, which are no tensors.
pub fn shape(graph: &Graph, pretrain: &Pretrain, id: Id) -> Option<Shape> {
    let float = match pretrain.precision {
        Precision::Fp64 => "f64",
        Precision::Amp | Precision::Fp32 | Precision::Bf16 => "f32",
    };
    match graph.node(id) {
        Node::Source | Node::Sample => None,
        Node::Decode {
            modality, length, ..
        }
        | Node::Slice {
            modality, length, ..
        } => Some(decoded(&pretrain.modality(modality)?.clip, *length)),
        Node::Augment { modality, .. } => Some(view(&pretrain.modality(modality)?.clip)),
        Node::Encode { .. }
        | Node::Predict { .. }
        | Node::StopGradient
        | Node::L2
        | Node::Scale { .. }
        | Node::Operator { .. } => {
            let width = width(graph, pretrain, id)?;
            Some(Shape {
                dtype: float,
                dims: vec![Dim::Known(pretrain.bs), Dim::Known(width)],
            })
        }
        Node::Term { .. } | Node::Sum { .. } => Some(Shape {
            dtype: float,
            dims: vec![],
        }),
    }
}

/// Decoded frames are bytes of the source's size, decoded sound is float.
fn decoded(clip: &Clip, length: u32) -> Shape {
    match clip {
        // The frames that a flow is computed from are those of its video.
        Clip::Video { .. } | Clip::Flow { .. } => {
            let dims = vec![
                Dim::Known(length),
                Dim::Source('h'),
                Dim::Source('w'),
                Dim::Known(3),
            ];
            Shape { dtype: "u8", dims }
        }
        Clip::Audio { .. } => Shape {
            dtype: "f32",
            dims: vec![Dim::Known(length)],
        },
        // Numbers of words.
        Clip::Text { .. } => Shape {
            dtype: "i64",
            dims: vec![Dim::Known(length)],
        },
    }
}

/// One view as the network takes it.
fn view(clip: &Clip) -> Shape {
    let dtype = match clip {
        Clip::Video { .. } | Clip::Flow { .. } | Clip::Audio { .. } => "f32",
        Clip::Text { .. } => "i64",
    };
    Shape {
        dtype,
        dims: networks::input(clip).into_iter().map(Dim::Known).collect(),
    }
}
