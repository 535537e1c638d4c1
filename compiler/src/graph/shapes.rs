//! Shapes and number types of what the nodes make.

use super::{Graph, Id, Node, networks};
use crate::hir::{self, Clip, Modality, Network, Precision, Pretrain};
use crate::loss::{Embedding, EmbeddingOp};
use serde::Serialize;
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

/// The width of what the operators make of a view; `None` for a view.
fn embedding_width(pretrain: &Pretrain, of: &Embedding) -> Option<u32> {
    let Embedding::Apply(op, inner) = of else {
        return None;
    };
    match op {
        EmbeddingOp::Encode(group)
        | EmbeddingOp::Predict(group)
        | EmbeddingOp::Ema { group, .. } => network(pretrain, group)?
            .width()
            .or_else(|| embedding_width(pretrain, inner)),
        EmbeddingOp::Linear(width) => Some(*width),
        EmbeddingOp::StopGradient
        | EmbeddingOp::L2
        | EmbeddingOp::Scale(_)
        | EmbeddingOp::Sinkhorn { .. }
        | EmbeddingOp::Memory { .. } => embedding_width(pretrain, inner),
    }
}

/// The linear layer of this width that the loss owns: how many values it takes, and the first modality of the experiment whose
/// views it reads. `None` where the loss has none.
pub fn linear(pretrain: &Pretrain, width: u32) -> Option<(u32, &Modality)> {
    let mut inputs: Vec<&Embedding> = vec![];
    for mut at in pretrain.loss.terms.iter().flat_map(|(term, _)| &term.args) {
        while let Embedding::Apply(op, inner) = at {
            if *op == EmbeddingOp::Linear(width) {
                inputs.push(inner);
            }
            at = inner;
        }
    }
    let takes = embedding_width(pretrain, inputs.first()?)?;
    let mut modalities = pretrain.modalities.iter();
    let reads = |m: &&Modality| inputs.iter().any(|input| input.view().0 == m.name);
    Some((takes, modalities.find(reads)?))
}

/// What a node makes, and so what an edge from it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Domain {
    /// A sample of the data set.
    Clip,
    /// Where its windows lie.
    Times,
    /// Frames as decoded: bytes, of the size of their source.
    Frames,
    /// Frames of the size of the clip, whose values are levels or what a link made of them.
    Levels,
    /// Samples of sound.
    Wave,
    /// A log-mel spectrogram.
    Spectrogram,
    /// Numbers of words.
    Words,
    /// Motion across and down.
    Flow,
    /// Frames or words as a network takes them.
    Input,
    /// Rows of one width.
    Embedding,
    /// One number, or a few that a sum weighs.
    Scalar,
}

/// What `id` makes.
pub fn domain(graph: &Graph, pretrain: &Pretrain, id: Id) -> Domain {
    match graph.node(id) {
        Node::Source => Domain::Clip,
        Node::Sample => Domain::Times,
        Node::Decode { modality, .. } | Node::Slice { modality, .. } => {
            match pretrain.modality(modality).map(|m| m.clip.domain()) {
                Some(hir::Domain::Wave) => Domain::Wave,
                Some(hir::Domain::Spectrogram) => Domain::Spectrogram,
                Some(hir::Domain::Words) => Domain::Words,
                Some(hir::Domain::Frames | hir::Domain::Flow) | None => Domain::Frames,
            }
        }
        Node::Augment { .. } | Node::Convert { .. } | Node::Batch { .. } => {
            let from = graph.inputs(id).first().copied();
            let from = from.map_or(Domain::Frames, |from| domain(graph, pretrain, from));
            let node = graph.node(id);
            let clip = node.view().and_then(|(m, _)| pretrain.modality(m));
            let is_flow = clip.is_some_and(|m| m.clip.derived_from().is_some());
            let converts = matches!(node, Node::Convert { .. });
            let changes = converts || matches!(node, Node::Augment { .. });
            match from {
                Domain::Frames if converts && is_flow => Domain::Flow,
                Domain::Frames | Domain::Levels | Domain::Words if converts => Domain::Input,
                Domain::Wave if converts => Domain::Spectrogram,
                Domain::Frames if changes => Domain::Levels,
                Domain::Frames
                | Domain::Levels
                | Domain::Wave
                | Domain::Words
                | Domain::Spectrogram
                | Domain::Flow
                | Domain::Input
                | Domain::Clip
                | Domain::Times
                | Domain::Embedding
                | Domain::Scalar => from,
            }
        }
        Node::Encode { .. }
        | Node::Predict { .. }
        | Node::Part { .. }
        | Node::StopGradient
        | Node::L2
        | Node::Scale { .. }
        | Node::Operator { .. } => Domain::Embedding,
        Node::Term { .. } | Node::Cosines { .. } | Node::Sum { .. } => Domain::Scalar,
    }
}

/// Whether `id` makes something of the whole batch, where the networks are; before that it is of one sample, on the host.
pub fn is_batched(graph: &Graph, id: Id) -> bool {
    let node = graph.node(id);
    if matches!(node, Node::Batch { .. }) {
        return true;
    }
    if node.is_chain() {
        return graph
            .inputs(id)
            .iter()
            .any(|input| is_batched(graph, *input));
    }
    !node.is_data()
}

/// The width of the embedding that `id` makes; `None` for nodes that make none.
pub fn width(graph: &Graph, pretrain: &Pretrain, id: Id) -> Option<u32> {
    match graph.node(id) {
        Node::Encode { group }
        | Node::Predict { group }
        | Node::Operator {
            operator: EmbeddingOp::Ema { group, .. },
        } => network(pretrain, group)?
            .width()
            .or_else(|| width(graph, pretrain, *graph.inputs(id).first()?)),
        Node::Operator {
            operator: EmbeddingOp::Linear(width),
        } => Some(*width),
        Node::Part { .. }
        | Node::StopGradient
        | Node::L2
        | Node::Scale { .. }
        | Node::Operator { .. } => width(graph, pretrain, *graph.inputs(id).first()?),
        Node::Source
        | Node::Sample
        | Node::Decode { .. }
        | Node::Slice { .. }
        | Node::Augment { .. }
        | Node::Convert { .. }
        | Node::Batch { .. }
        | Node::Term { .. }
        | Node::Cosines { .. }
        | Node::Sum { .. } => None,
    }
}

/// What `id` makes; `None` for clips and times, which are no tensors.
pub fn shape(graph: &Graph, pretrain: &Pretrain, id: Id) -> Option<Shape> {
    let float = match pretrain.precision {
        Precision::Fp64 => "f64",
        Precision::Amp | Precision::Fp32 | Precision::Bf16 | Precision::Fp16 => "f32",
    };
    let node = graph.node(id);
    match node {
        Node::Source | Node::Sample => None,
        Node::Decode {
            modality, length, ..
        }
        | Node::Slice {
            modality, length, ..
        } => Some(decoded(&pretrain.modality(modality)?.clip, *length)),
        Node::Augment { modality, .. }
        | Node::Convert { modality, .. }
        | Node::Batch { modality, .. } => {
            let clip = &pretrain.modality(modality)?.clip;
            let mut shape = match domain(graph, pretrain, id) {
                Domain::Wave | Domain::Frames | Domain::Words => decoded(clip, clip.ticks()),
                Domain::Flow
                | Domain::Clip
                | Domain::Times
                | Domain::Levels
                | Domain::Spectrogram
                | Domain::Input
                | Domain::Embedding
                | Domain::Scalar => view(clip),
            };
            if is_batched(graph, id) {
                shape.dims.insert(0, Dim::Known(pretrain.bs));
            }
            Some(shape)
        }
        Node::Encode { .. }
        | Node::Predict { .. }
        | Node::Part { .. }
        | Node::StopGradient
        | Node::L2
        | Node::Scale { .. }
        | Node::Operator { .. } => {
            let width = width(graph, pretrain, id)?;
            let views = if node.network().is_some() {
                u32::try_from(graph.inputs(id).len()).ok()?
            } else {
                1
            };
            let rows = pretrain.bs.saturating_mul(views);
            Some(Shape {
                dtype: float,
                dims: vec![Dim::Known(rows), Dim::Known(width)],
            })
        }
        Node::Cosines { pairs, .. } => Some(Shape {
            dtype: float,
            dims: vec![Dim::Known(u32::try_from(pairs.len()).ok()?)],
        }),
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
