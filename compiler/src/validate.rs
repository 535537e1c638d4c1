//! Invariants of a finished graph. A failure here is our mistake, never the user's, so it panics with the invariant.

use crate::graph::shapes::{network, width};
use crate::graph::{Graph, Id, Node};
use crate::hir::{Layer, Pretrain};
use crate::loss::{Embedding, EmbeddingOp, Loss, Term, TermOp};
use crate::units::Exact;
use std::collections::BTreeMap;

/// Checks that `graph` is a training step of `pretrain`.
///
/// - One source, one sampler, one objective; all nodes can be executed, each with as many inputs as it takes.
/// - Each slice lies within its decode, and each view is augmented once.
/// - Each network is a group of the experiment, and the two arguments of a term are equally wide.
/// - Read back into a loss, the graph is the loss of the experiment: no term is missing, doubled or weighted otherwise, and
///   every target is still behind its stop-gradient.
///
/// # Panics
///
/// With the invariant that does not hold.
pub fn validate(graph: &Graph, pretrain: &Pretrain) {
    let order = graph.topological();
    assert_eq!(order.len(), graph.len(), "validate: the graph is acyclic");
    let count =
        |wanted: fn(&Node) -> bool| graph.ids().filter(|id| wanted(graph.node(*id))).count();
    assert_eq!(
        count(|node| matches!(node, Node::Source)),
        1,
        "validate: there is one source"
    );
    assert_eq!(
        count(|node| matches!(node, Node::Sample)),
        1,
        "validate: there is one sampler"
    );
    assert_eq!(
        count(|node| matches!(node, Node::Sum { .. })),
        1,
        "validate: there is one objective"
    );
    for id in order {
        inputs_fit(graph, pretrain, id);
    }
    let read_back = loss_of(graph);
    let wanted = sorted(
        pretrain
            .loss
            .terms
            .iter()
            .map(|(term, weight)| (canonical_term(term), *weight)),
    );
    assert_eq!(
        read_back, wanted,
        "validate: the graph computes the loss of the experiment"
    );
}

/// Checks one node against its inputs.
fn inputs_fit(graph: &Graph, pretrain: &Pretrain, id: Id) {
    let inputs = graph.inputs(id);
    let node = graph.node(id);
    let is = |i: usize, wanted: fn(&Node) -> bool| wanted(graph.node(inputs[i]));
    let arity = |n: usize| assert_eq!(inputs.len(), n, "validate: `{node:?}` takes {n} inputs");
    match node {
        Node::Source => arity(0),
        Node::Sample => {
            arity(1);
            assert!(
                is(0, |n| matches!(n, Node::Source)),
                "validate: the sampler reads the source"
            );
        }
        Node::Decode { views, length, .. } => {
            arity(1);
            assert!(
                is(0, |n| matches!(n, Node::Sample)),
                "validate: a decode reads the sampler"
            );
            assert!(
                !views.is_empty() && *length > 0,
                "validate: a decode is not empty"
            );
        }
        Node::Slice {
            modality,
            view,
            start,
            length,
        } => {
            arity(1);
            let Node::Decode {
                modality: decoded,
                views,
                length: whole,
            } = graph.node(inputs[0])
            else {
                panic!("validate: a slice reads a decode");
            };
            assert_eq!(
                modality, decoded,
                "validate: a slice has the modality of its decode"
            );
            assert!(
                views.contains(view),
                "validate: a decode covers the views cut out of it"
            );
            assert!(
                start + length <= *whole,
                "validate: a slice lies within its decode"
            );
        }
        Node::Augment { modality, view } => {
            arity(1);
            let clip = pretrain.modality(modality).map(|m| &m.clip);
            let ticks = clip.map(|clip| clip.ticks());
            let read = clip.and_then(|clip| clip.derived_from());
            let Node::Slice {
                modality: cut,
                view: of,
                length,
                ..
            } = graph.node(inputs[0])
            else {
                panic!("validate: an augmentation reads a slice");
            };
            assert_eq!(
                (read.unwrap_or(modality), view),
                (cut.as_str(), of),
                "validate: an augmentation reads its own view, or that of the video whose flow it is"
            );
            assert_eq!(
                ticks,
                Some(*length),
                "validate: a view has the length of its clip"
            );
        }
        Node::Encode { group } => {
            arity(1);
            assert!(
                is(0, |n| matches!(n, Node::Augment { .. })),
                "validate: an encoder reads an augmented view"
            );
            assert!(
                network(pretrain, group).is_some(),
                "validate: `{group}` is a group of the experiment"
            );
        }
        Node::Predict { group } => {
            arity(1);
            assert!(
                width(graph, pretrain, inputs[0]).is_some(),
                "validate: a predictor reads an embedding"
            );
            let layers = network(pretrain, group).map(|n| &n.layers);
            let takes_vector = layers.is_some_and(|layers| !layers.iter().any(Layer::is_backbone));
            assert!(
                takes_vector,
                "validate: `{group}` is a predictor of the experiment"
            );
        }
        Node::StopGradient | Node::L2 | Node::Scale { .. } => {
            arity(1);
            assert!(
                width(graph, pretrain, inputs[0]).is_some(),
                "validate: an operator reads an embedding"
            );
        }
        Node::Operator { .. } => arity(1),
        Node::Term { term } => {
            arity(match term {
                TermOp::Cos | TermOp::Mse | TermOp::Dot | TermOp::Xent | TermOp::InfoNce { .. } => {
                    2
                }
                TermOp::HingeStd | TermOp::Cov => 1,
            });
            let widths: Vec<_> = inputs
                .iter()
                .map(|input| width(graph, pretrain, *input))
                .collect();
            assert!(
                widths.iter().all(Option::is_some),
                "validate: a term reads embeddings"
            );
            assert!(
                widths.windows(2).all(|pair| pair[0] == pair[1]),
                "validate: arguments are equally wide"
            );
        }
        Node::Sum { weights } => {
            assert_eq!(
                weights.len(),
                inputs.len(),
                "validate: every term has a weight"
            );
            let are_terms = inputs
                .iter()
                .all(|input| matches!(graph.node(*input), Node::Term { .. }));
            assert!(are_terms, "validate: the objective sums terms");
        }
    }
}

/// The loss that the graph computes: terms over views with their weights.
pub fn loss_of(graph: &Graph) -> Loss {
    let embeddings = embeddings(graph);
    let mut terms: BTreeMap<Id, Term> = BTreeMap::new();
    let mut found = vec![];
    for id in graph.ids() {
        let inputs = graph.inputs(id);
        match graph.node(id) {
            Node::Term { term } => {
                let args = inputs
                    .iter()
                    .map(|input| embeddings[input].clone())
                    .collect();
                terms.insert(id, canonical_term(&Term { op: *term, args }));
            }
            Node::Sum { weights } => {
                found.extend(
                    inputs
                        .iter()
                        .map(|input| terms[input].clone())
                        .zip(weights.iter().copied()),
                );
            }
            Node::Source
            | Node::Sample
            | Node::Decode { .. }
            | Node::Slice { .. }
            | Node::Augment { .. }
            | Node::Encode { .. }
            | Node::Predict { .. }
            | Node::StopGradient
            | Node::L2
            | Node::Scale { .. }
            | Node::Operator { .. } => {}
        }
    }
    sorted(found.into_iter())
}

/// What each node computes of the views, where that is a tensor over the batch.
fn embeddings(graph: &Graph) -> BTreeMap<Id, Embedding> {
    let mut embeddings: BTreeMap<Id, Embedding> = BTreeMap::new();
    for id in graph.ids() {
        let inputs = graph.inputs(id);
        let apply = |op| Embedding::Apply(op, Box::new(embeddings[&inputs[0]].clone()));
        let embedding = match graph.node(id) {
            Node::Augment { modality, view } => Embedding::View {
                modality: modality.clone(),
                view: *view,
            },
            Node::Encode { group } => apply(EmbeddingOp::Encode(group.clone())),
            Node::Predict { group } => apply(EmbeddingOp::Predict(group.clone())),
            Node::StopGradient => apply(EmbeddingOp::StopGradient),
            Node::L2 => apply(EmbeddingOp::L2),
            Node::Scale { by } => apply(EmbeddingOp::Scale(*by)),
            Node::Operator { operator } => apply(operator.clone()),
            Node::Term { .. }
            | Node::Sum { .. }
            | Node::Source
            | Node::Sample
            | Node::Decode { .. }
            | Node::Slice { .. } => continue,
        };
        embeddings.insert(id, embedding);
    }
    embeddings
}

/// What each node computes of the views, with stop-gradients as far inside as they may go.
pub(crate) fn canonical_embeddings(graph: &Graph) -> BTreeMap<Id, Embedding> {
    let all = embeddings(graph).into_iter();
    all.map(|(id, embedding)| (id, canonical(&embedding)))
        .collect()
}

/// The terms in order, weights of equal terms added.
fn sorted(terms: impl Iterator<Item = (Term, Exact)>) -> Loss {
    let mut sum: BTreeMap<Term, Exact> = BTreeMap::new();
    for (term, weight) in terms {
        let total = sum.entry(term).or_insert(Exact::whole(0));
        *total = total
            .plus(weight)
            .expect("validate: weights stay within their bounds");
    }
    Loss {
        terms: sum
            .into_iter()
            .filter(|(_, weight)| *weight != Exact::whole(0))
            .collect(),
    }
}

/// The term with stop-gradients as far inside as they may go, so that `sg(l2(z))` and `l2(sg(z))` compare equal.
fn canonical_term(term: &Term) -> Term {
    Term {
        op: term.op,
        args: term.args.iter().map(canonical).collect(),
    }
}

fn canonical(embedding: &Embedding) -> Embedding {
    match embedding {
        Embedding::View { .. } => embedding.clone(),
        Embedding::Apply(EmbeddingOp::StopGradient, inner) => stopped(canonical(inner)),
        Embedding::Apply(op, inner) => Embedding::Apply(op.clone(), Box::new(canonical(inner))),
    }
}

/// `sg` of a canonical embedding.
fn stopped(embedding: Embedding) -> Embedding {
    match embedding {
        Embedding::Apply(EmbeddingOp::StopGradient, _) => embedding,
        Embedding::Apply(op @ (EmbeddingOp::L2 | EmbeddingOp::Scale(_)), inner) => {
            Embedding::Apply(op, Box::new(stopped(*inner)))
        }
        Embedding::Apply(..) | Embedding::View { .. } => {
            Embedding::Apply(EmbeddingOp::StopGradient, Box::new(embedding))
        }
    }
}
