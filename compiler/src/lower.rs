//! A closed experiment to a graph: the equations of the paper, literally.

use crate::graph::{Graph, Id, Node};
use crate::hir::{Domain, Modality, Pretrain};
use crate::loss::{Embedding, EmbeddingOp, Part, Term, Written};
use crate::units::Exact;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The training step of `pretrain` with nothing shared.
///
/// Every view of every declared modality has its own decode, optical flow that of its video, and its own chain, done for each
/// sample on the host; every term has its own calls: the twelve directed terms of `intra + sync + async` ask for 24 encodings and
/// 12 predictions of four views.
///
/// Source: equation 1 for each term, equations 2 to 5 for the weights.
pub fn lower(pretrain: &Pretrain) -> Graph {
    let (mut graph, views) = views_of(pretrain);
    let mut terms = vec![];
    let mut weights = vec![];
    for (term, weight) in &pretrain.loss.terms {
        terms.push(lower_term(&mut graph, &views, term));
        weights.push(*weight);
    }
    graph.add(Node::Sum { weights }, &terms);
    graph
}

/// The training step of `pretrain` with its objective as it is written: sums of sums, nothing expanded or folded. Where nothing
/// is known of that, it is [`lower`].
pub fn lower_written(pretrain: &Pretrain, written: &Written) -> Graph {
    if written.parts.is_empty() {
        return lower(pretrain);
    }
    let (mut graph, views) = views_of(pretrain);
    let mut known = BTreeMap::new();
    let whole = lower_parts(&mut graph, &views, written, &mut known);
    if !matches!(graph.node(whole), Node::Sum { .. }) {
        let weights = vec![Exact::whole(1)];
        graph.add(Node::Sum { weights }, &[whole]);
    }
    graph
}

/// The parts of a loss as written: its last. What a name stands for is there once, however often it is used.
fn lower_parts(
    graph: &mut Graph,
    views: &Views<'_>,
    written: &Written,
    known: &mut BTreeMap<*const Written, Id>,
) -> Id {
    let mut made: Vec<Id> = vec![];
    for part in &written.parts {
        let id = match part {
            Part::Term(term) => lower_term(graph, views, term),
            Part::Sum(addends) => {
                let inputs: Vec<Id> = addends.iter().map(|(_, addend)| made[*addend]).collect();
                let weights = addends.iter().map(|(weight, _)| *weight).collect();
                graph.add(Node::Sum { weights }, &inputs)
            }
            Part::Name(inner) => match known.get(&Arc::as_ptr(inner)) {
                Some(id) => *id,
                None => {
                    let id = lower_parts(graph, views, inner, known);
                    known.insert(Arc::as_ptr(inner), id);
                    id
                }
            },
        };
        made.push(id);
    }
    made.pop().expect("lower: a written loss has parts")
}

/// The ends of the chains, by modality and view.
type Views<'a> = BTreeMap<(&'a str, u32), Id>;

/// The data path: every view of every declared modality.
fn views_of(pretrain: &Pretrain) -> (Graph, Views<'_>) {
    let mut graph = Graph::default();
    let clip = graph.add(Node::Source, &[]);
    let sample = graph.add(Node::Sample, &[clip]);
    let mut views: Views<'_> = BTreeMap::new();
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
            views.insert((name, view), chain(&mut graph, m, view, slice));
        }
    }
    (graph, views)
}

/// The chain of a view, link by link: the conversion stands before the first link of spectrograms, before all links of optical
/// flow, or at the end.
fn chain(graph: &mut Graph, m: &Modality, view: u32, slice: Id) -> Id {
    let modality = || m.name.clone();
    let convert = Node::Convert {
        modality: modality(),
        view,
    };
    let mut here = slice;
    let mut is_converted = false;
    for (link, of) in (0..).zip(&m.augment.links) {
        let is_first = of.domain() == Domain::Spectrogram || m.clip.domain() == Domain::Flow;
        if is_first && !is_converted {
            here = graph.add(convert.clone(), &[here]);
            is_converted = true;
        }
        let augment = Node::Augment {
            modality: modality(),
            view,
            link,
            name: of.short().to_owned(),
        };
        here = graph.add(augment, &[here]);
    }
    if !is_converted {
        here = graph.add(convert, &[here]);
    }
    let batch = Node::Batch {
        modality: modality(),
        view,
    };
    graph.add(batch, &[here])
}

/// A term and the calls that its arguments ask for.
fn lower_term(graph: &mut Graph, views: &Views<'_>, term: &Term) -> Id {
    let args: Vec<Id> = term
        .args
        .iter()
        .map(|arg| embed(graph, views, arg))
        .collect();
    graph.add(Node::Term { term: term.op }, &args)
}

/// The calls that `embedding` asks for, each made anew.
fn embed(graph: &mut Graph, views: &Views<'_>, embedding: &Embedding) -> Id {
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
