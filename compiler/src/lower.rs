//! A closed experiment to a graph: the equations of the paper, literally.

use crate::graph::{Graph, Id, Node};
use crate::hir::{Modality, Pretrain};
use crate::loss::{Embedding, EmbeddingOp};
use std::collections::BTreeMap;

/// The training step of `pretrain` with nothing shared.
///
/// Every view of every declared modality has its own decode, optical flow that of its video, and every term its own chain of calls: the twelve directed terms
/// of `intra + sync + async` ask for 24 encodings and 12 predictions of four views.
///
/// Source: equation 1 for each term, equations 2 to 5 for the weights.
pub fn lower(pretrain: &Pretrain) -> Graph {
    let mut graph = Graph::default();
    let clip = graph.add(Node::Source, &[]);
    let sample = graph.add(Node::Sample, &[clip]);
    let mut views: BTreeMap<(&str, u32), Id> = BTreeMap::new();
    // What is derived from another modality reads the slices of that one.
    let decoded = |m: &&Modality| m.clip.derived_from().is_none();
    let mut slices: BTreeMap<(&str, u32), Id> = BTreeMap::new();
    for m in pretrain.modalities.iter().filter(decoded) {
        let (name, length) = (&m.name, m.clip.ticks());
        for view in 1..=pretrain.views {
            let decode = Node::Decode {
                modality: name.clone(),
                views: vec![view],
                length,
            };
            let decode = graph.add(decode, &[sample]);
            let slice = graph.add(
                Node::Slice {
                    modality: name.clone(),
                    view,
                    start: 0,
                    length,
                },
                &[decode],
            );
            slices.insert((name, view), slice);
        }
    }
    for m in &pretrain.modalities {
        let (name, of) = (&m.name, m.clip.derived_from().unwrap_or(&m.name));
        for view in 1..=pretrain.views {
            let slice = *slices
                .get(&(of, view))
                .expect("lower: a checked flow is of a modality of the run");
            let augment = Node::Augment {
                modality: name.clone(),
                view,
            };
            views.insert((name, view), graph.add(augment, &[slice]));
        }
    }
    let mut terms = vec![];
    let mut weights = vec![];
    for (term, weight) in &pretrain.loss.terms {
        let args: Vec<Id> = term
            .args
            .iter()
            .map(|arg| embed(&mut graph, &views, arg))
            .collect();
        terms.push(graph.add(Node::Term { term: term.op }, &args));
        weights.push(*weight);
    }
    graph.add(Node::Sum { weights }, &terms);
    graph
}

/// The calls that `embedding` asks for, each made anew.
fn embed(graph: &mut Graph, views: &BTreeMap<(&str, u32), Id>, embedding: &Embedding) -> Id {
    match embedding {
        Embedding::View { modality, view } => *views
            .get(&(modality.as_str(), *view))
            .expect("lower: a checked loss reads declared views only"),
        Embedding::Apply(op, inner) => {
            let input = embed(graph, views, inner);
            graph.add(apply(op), &[input])
        }
    }
}

/// The node of an operator.
fn apply(op: &EmbeddingOp) -> Node {
    match op {
        EmbeddingOp::Encode(group) => Node::Encode {
            group: group.clone(),
        },
        EmbeddingOp::Predict(group) => Node::Predict {
            group: group.clone(),
        },
        EmbeddingOp::StopGradient => Node::StopGradient,
        EmbeddingOp::L2 => Node::L2,
        EmbeddingOp::Scale(by) => Node::Scale { by: *by },
        EmbeddingOp::Linear(_)
        | EmbeddingOp::Sinkhorn { .. }
        | EmbeddingOp::Ema { .. }
        | EmbeddingOp::Memory { .. } => Node::Operator {
            operator: op.clone(),
        },
    }
}
