//! Invariants of a finished graph. A failure here is our mistake, never the user's, so it panics with the invariant.

use crate::graph::shapes::{Domain, domain, network, width};
use crate::graph::{Graph, Id, Node};
use crate::hir::{self, Layer, Pretrain};
use crate::loss::{Embedding, EmbeddingOp, Loss, Term, TermOp};
use crate::units::Exact;
use std::collections::BTreeMap;

/// Checks that `graph` is a training step of `pretrain`.
///
/// - One source, one sampler, one objective, which adds terms alone; all nodes have as many inputs as they take.
/// - The graph is acyclic, and the path of the data has no gradient: an edge has one exactly where the expression that it
///   carries depends on parameters otherwise than through a stop-gradient.
/// - Each edge carries what its reader takes: clips, times, ticks, spectrograms, embeddings of one width, scalars.
/// - Each slice lies within its decode, and each view goes through all the links of its chain in their order, through one
///   conversion and into one batch; frames get their size on the host.
/// - Each network is a group of the experiment, the inputs of one call are views of one modality through the same operators, in
///   the order of the views, and each of them is read from it once. The two arguments of a term are equally wide.
/// - Read back into a loss, the graph is the loss of the experiment: no term is missing, doubled or weighted otherwise, and
///   every target is still behind its stop-gradient.
///
/// # Panics
///
/// With the invariant that does not hold.
pub fn validate(graph: &Graph, pretrain: &Pretrain) {
    let sums = graph
        .ids()
        .filter(|id| matches!(graph.node(*id), Node::Sum { .. }));
    assert_eq!(sums.count(), 1, "validate: there is one objective");
    validate_literal(graph, pretrain);
}

/// [`validate`] of a graph whose objective may still be a sum of sums.
pub fn validate_literal(graph: &Graph, pretrain: &Pretrain) {
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
        graph.ids().filter(|id| graph.is_objective(*id)).count(),
        1,
        "validate: there is one objective"
    );
    let embeddings = embeddings(graph);
    for id in order {
        inputs_fit(graph, pretrain, id);
        gradients_fit(graph, &embeddings, id);
        if graph.ends_chain(id) {
            chain_fits(graph, pretrain, id);
        }
        call_fits(graph, &embeddings, id);
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

/// Checks the gradients of the edges into one node by the expressions that they carry.
fn gradients_fit(graph: &Graph, embeddings: &BTreeMap<Id, Embedding>, id: Id) {
    let reader = graph.node(id);
    for (edge, from) in graph.edges(id) {
        let is_data = graph.node(from).is_data() || reader.is_data();
        assert!(
            !(is_data && edge.gradient),
            "validate: data have no gradient"
        );
        if matches!(reader, Node::Term { .. } | Node::Cosines { .. }) {
            let learns = embeddings.get(&from).is_some_and(learns);
            assert_eq!(
                edge.gradient, learns,
                "validate: a term hands its gradient to what learns, and to nothing behind a stop-gradient"
            );
        }
        if *reader == Node::StopGradient {
            assert!(
                !edge.gradient,
                "validate: no gradient goes through a stop-gradient"
            );
        }
    }
}

/// Whether an expression depends on a parameter otherwise than through a stop-gradient.
fn learns(embedding: &Embedding) -> bool {
    let Embedding::Apply(op, inner) = embedding else {
        return false;
    };
    match op {
        EmbeddingOp::Encode(_) | EmbeddingOp::Predict(_) | EmbeddingOp::Linear(_) => true,
        EmbeddingOp::StopGradient | EmbeddingOp::Ema { .. } | EmbeddingOp::Memory { .. } => false,
        EmbeddingOp::L2 | EmbeddingOp::Scale(_) | EmbeddingOp::Sinkhorn { .. } => learns(inner),
    }
}

/// Checks the chain of a view that ends with `end`.
fn chain_fits(graph: &Graph, pretrain: &Pretrain, end: Id) {
    let (modality, view) = graph.node(end).view().unwrap_or_default();
    let links = pretrain.modality(modality).map(|m| m.augment.links.len());
    let mut next = 0;
    let (mut converted, mut batched) = (0, 0);
    for id in graph.chain(end) {
        let node = graph.node(id);
        assert!(
            !node.is_chain() || node.view() == Some((modality, view)),
            "validate: a chain is of one view"
        );
        match node {
            Node::Augment { link, .. } => {
                assert_eq!(
                    *link, next,
                    "validate: links stand in the order of the chain"
                );
                next += 1;
            }
            Node::Convert { .. } => converted += 1,
            Node::Batch { .. } => batched += 1,
            Node::Slice { .. }
            | Node::Source
            | Node::Sample
            | Node::Decode { .. }
            | Node::Encode { .. }
            | Node::Predict { .. }
            | Node::Part { .. }
            | Node::StopGradient
            | Node::L2
            | Node::Scale { .. }
            | Node::Operator { .. }
            | Node::Term { .. }
            | Node::Cosines { .. }
            | Node::Sum { .. } => {}
        }
    }
    assert_eq!(
        links,
        Some(next as usize),
        "validate: a view goes through all links of its chain"
    );
    assert_eq!(converted, 1, "validate: a view is converted once");
    assert_eq!(batched, 1, "validate: a view is batched once");
}

/// Checks a call on several inputs, and what is read from it.
fn call_fits(graph: &Graph, embeddings: &BTreeMap<Id, Embedding>, id: Id) {
    let inputs = graph.inputs(id);
    if graph.node(id).network().is_none() || inputs.len() < 2 {
        return;
    }
    let of: Vec<&Embedding> = inputs.iter().map(|input| &embeddings[input]).collect();
    assert!(
        of.windows(2)
            .all(|pair| pair[0].without_view() == pair[1].without_view()),
        "validate: one call takes views of one modality through the same operators"
    );
    assert!(
        of.windows(2).all(|pair| pair[0].view() < pair[1].view()),
        "validate: one call takes views in their order"
    );
    let mut parts: Vec<u32> = vec![];
    for reader in graph.readers(id) {
        let Node::Part { part } = graph.node(reader) else {
            panic!("validate: a call on several views is read part by part");
        };
        parts.push(*part);
    }
    parts.sort();
    let all: Vec<u32> = (1..).take(inputs.len()).collect();
    assert_eq!(parts, all, "validate: each part of a call is read once");
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
        Node::Augment { link, .. } => {
            arity(1);
            ticks_fit(graph, pretrain, (id, inputs[0]));
            let (modality, _) = node.view().unwrap_or_default();
            let m = pretrain.modality(modality);
            let link = m.and_then(|m| m.augment.links.get(*link as usize));
            let takes = match link.map(|link| link.domain()) {
                // Crops and flips move what is in a flow as well.
                Some(hir::Domain::Frames) => &[Domain::Frames, Domain::Levels, Domain::Flow][..],
                Some(hir::Domain::Wave) => &[Domain::Wave],
                Some(hir::Domain::Spectrogram) => &[Domain::Spectrogram],
                Some(hir::Domain::Words) => &[Domain::Words],
                Some(hir::Domain::Flow) => &[Domain::Flow],
                None => panic!("validate: a link is one of its modality's chain"),
            };
            assert!(
                takes.contains(&domain(graph, pretrain, inputs[0])),
                "validate: a link reads ticks of its own kind"
            );
        }
        Node::Convert { .. } => {
            arity(1);
            ticks_fit(graph, pretrain, (id, inputs[0]));
            assert!(
                matches!(
                    domain(graph, pretrain, inputs[0]),
                    Domain::Frames | Domain::Levels | Domain::Wave | Domain::Words
                ),
                "validate: a view is converted from its ticks"
            );
        }
        Node::Batch { .. } => {
            arity(1);
            ticks_fit(graph, pretrain, (id, inputs[0]));
            assert!(
                domain(graph, pretrain, inputs[0]) != Domain::Frames,
                "validate: a batch has frames of one size"
            );
        }
        Node::Encode { group } => {
            assert!(!inputs.is_empty(), "validate: an encoder reads a view");
            for input in &inputs {
                assert!(
                    graph.ends_chain(*input)
                        && matches!(
                            domain(graph, pretrain, *input),
                            Domain::Input | Domain::Flow | Domain::Spectrogram
                        ),
                    "validate: an encoder reads the end of a chain"
                );
            }
            assert!(
                network(pretrain, group).is_some(),
                "validate: `{group}` is a group of the experiment"
            );
        }
        Node::Predict { group } => {
            assert!(
                !inputs.is_empty(),
                "validate: a predictor reads an embedding"
            );
            for input in &inputs {
                assert!(
                    width(graph, pretrain, *input).is_some(),
                    "validate: a predictor reads an embedding"
                );
            }
            let layers = network(pretrain, group).map(|n| &n.layers);
            let takes_vector = layers.is_some_and(|layers| !layers.iter().any(Layer::is_backbone));
            assert!(
                takes_vector,
                "validate: `{group}` is a predictor of the experiment"
            );
        }
        Node::Part { part } => {
            arity(1);
            let of = graph.inputs(inputs[0]).len();
            assert!(
                is(0, |n| n.network().is_some()) && of > 1 && (1..=of).contains(&(*part as usize)),
                "validate: a part is of a call on several views"
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
        Node::Cosines { firsts, pairs } => {
            let widths: Vec<_> = inputs
                .iter()
                .map(|input| width(graph, pretrain, *input))
                .collect();
            assert!(
                widths
                    .iter()
                    .all(|width| width.is_some() && *width == widths[0]),
                "validate: cosines are of embeddings of one width"
            );
            let seconds = inputs.len().checked_sub(*firsts as usize);
            let seconds = seconds.expect("validate: first arguments of cosines are inputs");
            assert!(
                pairs
                    .iter()
                    .all(|(row, column)| row < firsts && (*column as usize) < seconds),
                "validate: a cosine is an entry of its matrix"
            );
        }
        Node::Sum { weights } => {
            let wanted: usize = inputs.iter().map(|input| graph.addends(*input)).sum();
            assert_eq!(weights.len(), wanted, "validate: every term has a weight");
            assert!(
                inputs
                    .iter()
                    .all(|input| domain(graph, pretrain, *input) == Domain::Scalar),
                "validate: the objective sums terms"
            );
        }
    }
}

/// Checks that a step of a chain reads the slice of its view, or another step of it, and that a slice has the clip's length.
fn ticks_fit(graph: &Graph, pretrain: &Pretrain, (id, input): (Id, Id)) {
    let (modality, view) = graph.node(id).view().unwrap_or_default();
    let clip = pretrain.modality(modality).map(|m| &m.clip);
    let is_slice = matches!(graph.node(input), Node::Slice { .. });
    let of = clip
        .and_then(|clip| clip.derived_from())
        .filter(|_| is_slice);
    assert_eq!(
        Some((of.unwrap_or(modality), view)),
        graph.node(input).view(),
        "validate: a step of a chain reads its own view, or that of the video whose flow it is"
    );
    if let Node::Slice {
        modality, length, ..
    } = graph.node(input)
    {
        let ticks = pretrain.modality(modality).map(|m| m.clip.ticks());
        assert_eq!(
            ticks,
            Some(*length),
            "validate: a view has the length of its clip"
        );
    }
}

/// The loss that the graph computes: terms over views with their weights.
pub fn loss_of(graph: &Graph) -> Loss {
    let terms = terms(graph);
    let embeddings = embeddings(graph);
    let mut sums: BTreeMap<Id, Loss> = BTreeMap::new();
    for id in graph.ids() {
        let Node::Sum { weights } = graph.node(id) else {
            continue;
        };
        let mut rest = weights.iter();
        let mut found = vec![];
        for input in graph.inputs(id) {
            if let Node::Cosines { firsts, pairs } = graph.node(input) {
                let of = graph.inputs(input);
                for (row, column) in pairs {
                    let args = [of[*row as usize], of[(firsts + column) as usize]];
                    let args = args.iter().map(|arg| embeddings[arg].clone()).collect();
                    let op = TermOp::Cos;
                    let term = canonical_term(&Term { op, args });
                    found.extend(rest.next().map(|weight| (term, *weight)));
                }
                continue;
            }
            let weight = *rest.next().expect("validate: every term has a weight");
            let inner = match sums.get(&input) {
                Some(sum) => sum.scaled(weight),
                None => Loss::of(canonical_term(&terms[&input])).scaled(weight),
            };
            found.extend(
                inner
                    .expect("validate: weights stay within their bounds")
                    .terms,
            );
        }
        sums.insert(id, sorted(found.into_iter()));
    }
    let objective = graph.ids().find(|id| graph.is_objective(*id));
    objective
        .and_then(|objective| sums.remove(&objective))
        .unwrap_or_default()
}

/// The terms of a graph, as they are written.
pub(crate) fn terms(graph: &Graph) -> BTreeMap<Id, Term> {
    let embeddings = embeddings(graph);
    let mut terms = BTreeMap::new();
    for id in graph.ids() {
        if let Node::Term { term } = graph.node(id) {
            let inputs = graph.inputs(id);
            let args = inputs
                .iter()
                .map(|input| embeddings[input].clone())
                .collect();
            terms.insert(id, Term { op: *term, args });
        }
    }
    terms
}

/// What each node computes of one view, where that is a tensor over the batch.
fn embeddings(graph: &Graph) -> BTreeMap<Id, Embedding> {
    let mut embeddings: BTreeMap<Id, Embedding> = BTreeMap::new();
    for id in graph.ids() {
        let inputs = graph.inputs(id);
        let apply = |op, to: Id| Embedding::Apply(op, Box::new(embeddings[&to].clone()));
        let node = graph.node(id);
        let embedding = match node {
            Node::Augment { .. } | Node::Convert { .. } | Node::Batch { .. }
                if graph.ends_chain(id) =>
            {
                let (modality, view) = node.view().unwrap_or_default();
                Embedding::View {
                    modality: modality.to_owned(),
                    view,
                }
            }
            Node::Encode { .. } | Node::Predict { .. } if inputs.len() > 1 => continue,
            Node::Encode { group } => apply(EmbeddingOp::Encode(group.clone()), inputs[0]),
            Node::Predict { group } => apply(EmbeddingOp::Predict(group.clone()), inputs[0]),
            Node::Part { part } => {
                let own = graph.inputs(inputs[0])[*part as usize - 1];
                let Some((kind, group)) = graph.node(inputs[0]).network() else {
                    continue;
                };
                let op = match kind {
                    0 => EmbeddingOp::Encode(group.to_owned()),
                    _ => EmbeddingOp::Predict(group.to_owned()),
                };
                apply(op, own)
            }
            Node::StopGradient => apply(EmbeddingOp::StopGradient, inputs[0]),
            Node::L2 => apply(EmbeddingOp::L2, inputs[0]),
            Node::Scale { by } => apply(EmbeddingOp::Scale(*by), inputs[0]),
            Node::Operator { operator } => apply(operator.clone(), inputs[0]),
            Node::Term { .. }
            | Node::Cosines { .. }
            | Node::Sum { .. }
            | Node::Source
            | Node::Sample
            | Node::Decode { .. }
            | Node::Slice { .. }
            | Node::Augment { .. }
            | Node::Convert { .. }
            | Node::Batch { .. } => continue,
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
