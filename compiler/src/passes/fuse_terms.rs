//! All cosines as entries of one matrix.

use crate::graph::shapes::width;
use crate::graph::{Graph, Id, Node};
use crate::hir::Pretrain;
use crate::loss::TermOp;
use crate::units::Exact;
use std::collections::BTreeMap;

/// Computes the cosine terms of one width together: the rows of all first arguments and of all second ones are normalised once,
/// and the means over the batch are entries of one product of two matrices.
///
/// The twelve terms of `intra + sync + async` are twelve of the sixteen entries of four predictions times four targets: one large
/// kernel for twelve small ones.
///
/// Preserves the value of each term and the gradient. Legal for cosines whose arguments are equally wide, two at least; other
/// terms stay. Numeric class: *reassociating*, for rows are divided by their norms before the product instead of after it, and
/// samples and columns are added in one sum.
pub fn fuse_terms(graph: &Graph, pretrain: &Pretrain) -> Graph {
    let fused = widths(graph, pretrain);
    let of: BTreeMap<Id, u32> = fused
        .iter()
        .filter(|(_, terms)| terms.len() > 1)
        .flat_map(|(width, terms)| terms.iter().map(|term| (*term, *width)))
        .collect();
    let mut new = Graph::default();
    let mut moved: BTreeMap<Id, Id> = BTreeMap::new();
    for id in graph.ids().filter(|id| !of.contains_key(id)) {
        let inputs = graph.inputs(id);
        let made = if let Node::Sum { weights } = graph.node(id) {
            sum(graph, &mut new, &moved, (weights, &inputs), &of)
        } else {
            let inputs: Vec<Id> = inputs.iter().map(|input| moved[input]).collect();
            new.add(graph.node(id).clone(), &inputs)
        };
        moved.insert(id, made);
    }
    new
}

/// A sum with its cosines fused: one node for each width, in the place of the first of its terms.
fn sum(
    graph: &Graph,
    new: &mut Graph,
    moved: &BTreeMap<Id, Id>,
    (weights, inputs): (&[Exact], &[Id]),
    of: &BTreeMap<Id, u32>,
) -> Id {
    let mut places: BTreeMap<u32, usize> = BTreeMap::new();
    let mut added: Vec<(Vec<Id>, Vec<Exact>)> = vec![];
    let mut rest = weights.iter().copied();
    for term in inputs {
        let own = rest.by_ref().take(graph.addends(*term));
        let known = of.get(term).and_then(|width| places.get(width));
        if let Some(place) = known {
            added[*place].0.push(*term);
            added[*place].1.extend(own);
        } else {
            if let Some(width) = of.get(term) {
                places.insert(*width, added.len());
            }
            added.push((vec![*term], own.collect()));
        }
    }
    let mut sums = vec![];
    let mut all = vec![];
    for (terms, weights) in added {
        all.extend(weights);
        let made = if of.contains_key(&terms[0]) {
            cosines(graph, new, moved, &terms)
        } else {
            moved[&terms[0]]
        };
        sums.push(made);
    }
    new.add(Node::Sum { weights: all }, &sums)
}

/// The matrix of these terms.
fn cosines(graph: &Graph, new: &mut Graph, moved: &BTreeMap<Id, Id>, terms: &[Id]) -> Id {
    let (mut firsts, mut seconds): (Vec<Id>, Vec<Id>) = (vec![], vec![]);
    let mut pairs = vec![];
    let place = |of: &mut Vec<Id>, id: Id| {
        let known = of.iter().position(|other| *other == id);
        let place = known.unwrap_or_else(|| {
            of.push(id);
            of.len() - 1
        });
        u32::try_from(place).expect("fuse: a loss has fewer than 2^32 arguments")
    };
    for term in terms {
        let arguments = graph.inputs(*term);
        let row = place(&mut firsts, moved[&arguments[0]]);
        pairs.push((row, place(&mut seconds, moved[&arguments[1]])));
    }
    let node = Node::Cosines {
        firsts: u32::try_from(firsts.len()).expect("fuse: a loss has fewer than 2^32 arguments"),
        pairs,
    };
    firsts.extend(seconds);
    new.add(node, &firsts)
}

/// The cosine terms by the width of their arguments.
fn widths(graph: &Graph, pretrain: &Pretrain) -> BTreeMap<u32, Vec<Id>> {
    let mut widths: BTreeMap<u32, Vec<Id>> = BTreeMap::new();
    for id in graph.ids() {
        if let Node::Term { term: TermOp::Cos } = graph.node(id)
            && let Some(width) = width(graph, pretrain, graph.inputs(id)[0])
        {
            widths.entry(width).or_default().push(id);
        }
    }
    widths
}

/// Terms that stay on their own, and why.
pub(super) fn refusals(graph: &Graph, pretrain: &Pretrain) -> Vec<String> {
    let names = graph.names();
    let mut reasons = vec![];
    for (width, terms) in widths(graph, pretrain) {
        if let [only] = &terms[..] {
            let name = &names[only];
            reasons.push(format!("`{name}` is the only cosine of width {width}"));
        }
    }
    let mut others: Vec<&String> = graph
        .ids()
        .filter(|id| matches!(graph.node(*id), Node::Term { term } if *term != TermOp::Cos))
        .map(|id| &names[&id])
        .collect();
    others.sort();
    if let Some(first) = others.first() {
        let rest = match others.len() {
            1 => "is no cosine".to_owned(),
            n => format!("and {} more are no cosines", n - 1),
        };
        reasons.push(format!("`{first}` {rest}"));
    }
    reasons
}
