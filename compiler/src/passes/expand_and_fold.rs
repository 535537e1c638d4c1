//! Sums to terms: the normal form of an objective.

use crate::graph::{Graph, Id, Node};
use crate::loss::{Loss, Term};
use crate::units::Exact;
use crate::validate::terms;
use std::collections::{BTreeMap, BTreeSet};

/// Expands sums of sums into one weighted sum of terms: weights along each way are multiplied, those of equal terms added,
/// exactly, and a term of weight zero goes, with the calls that it alone asked for.
///
/// Two losses are equal when this makes one graph of them. A graph that is lowered from a normal form has nothing to expand.
///
/// Preserves the objective and its gradient; the gradient of a parameter that only terms of weight zero read is zero, and
/// afterwards there is none. Legal always, for a loss is linear in its terms, and an experiment is its normal form: with
/// `bn joint` a view that only terms of weight zero read is not among those that are joined. Equal terms become one, so running
/// statistics move once where they moved for each. Numeric class: *reassociating*, for a product of weights is rounded once, and the sum
/// has one order.
pub fn expand_and_fold(graph: &Graph) -> Graph {
    let Some(objective) = graph.ids().find(|id| graph.is_objective(*id)) else {
        return graph.clone();
    };
    let (loss, first) = expanded(graph, objective);
    let wanted: BTreeSet<Id> = loss.terms.iter().map(|(term, _)| first[term]).collect();
    let read = needed(graph, &wanted);
    let (mut new, moved) = graph.retained_with(|id| read.contains(&id) || graph.node(id).is_data());
    let terms: Vec<Id> = loss
        .terms
        .iter()
        .map(|(term, _)| moved[&first[term]])
        .collect();
    let weights: Vec<Exact> = loss.terms.iter().map(|(_, weight)| *weight).collect();
    new.add(Node::Sum { weights }, &terms);
    new
}

/// The normal form of what `objective` adds, and the first node that computes each term.
fn expanded(graph: &Graph, objective: Id) -> (Loss, BTreeMap<Term, Id>) {
    let terms = terms(graph);
    let mut sums: BTreeMap<Id, Loss> = BTreeMap::new();
    let mut first: BTreeMap<Term, Id> = BTreeMap::new();
    for id in graph.ids() {
        let loss = if let Some(term) = terms.get(&id) {
            first.entry(term.clone()).or_insert(id);
            Loss::of(term.clone())
        } else if let Node::Sum { weights } = graph.node(id) {
            let added = weights.iter().zip(graph.inputs(id));
            let mut scaled = added.map(|(weight, input)| sums[&input].scaled(*weight));
            let total = scaled.try_fold(Loss::default(), |sum, part| sum.plus(&part?));
            // The check has added the same weights in the same order before there was a graph.
            total.expect("expand: weights stay within their bounds")
        } else {
            continue;
        };
        sums.insert(id, loss);
    }
    (sums.remove(&objective).unwrap_or_default(), first)
}

/// These nodes and all that they are made of.
fn needed(graph: &Graph, wanted: &BTreeSet<Id>) -> BTreeSet<Id> {
    let mut needed = wanted.clone();
    let mut ids: Vec<Id> = graph.ids().collect();
    ids.reverse();
    for id in ids {
        if needed.contains(&id) {
            needed.extend(graph.inputs(id));
        }
    }
    needed
}
