//! Rewrites of the graph, a file each. Each says what it preserves, when it is legal, and its numeric class:
//!
//! - *exact*: the same numbers, bit for bit, in float64;
//! - *reassociating*: the same sums in another order.

mod drop_unread;
mod merge_duplicates;
mod share_decodes;
mod share_stop_gradients;
#[cfg(test)]
mod tests;

pub use drop_unread::drop_unread_modalities;
pub use merge_duplicates::merge_duplicates;
pub use share_decodes::share_decodes;
pub use share_stop_gradients::share_stop_gradients;

use crate::graph::{Graph, Node};
use crate::hir::Pretrain;
use crate::lower::lower;
use crate::validate::validate;
use std::collections::BTreeMap;

/// What one pass did to one graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// The pass.
    pub pass: &'static str,
    /// What it did: `encode 24 -> 4, predict 12 -> 4`; empty where it found nothing to do.
    pub done: String,
}

/// The training step of `pretrain`, lowered, optimised and validated, and what each pass did.
pub fn build(pretrain: &Pretrain) -> (Graph, Vec<Why>) {
    let literal = lower(pretrain);
    validate(&literal, pretrain);
    let (graph, log) = optimise(&literal, pretrain);
    validate(&graph, pretrain);
    (graph, log)
}

/// All passes in order. What is printed and executed is the graph after them.
pub fn optimise(graph: &Graph, pretrain: &Pretrain) -> (Graph, Vec<Why>) {
    let mut log = vec![];
    let mut step = |pass, before: &Graph, after: Graph| {
        log.push(Why {
            pass,
            done: difference(before, &after),
        });
        after
    };
    let graph = &step("merge_duplicates", graph, merge_duplicates(graph));
    let graph = &step("share_stop_gradients", graph, share_stop_gradients(graph));
    let graph = &step(
        "drop_unread_modalities",
        graph,
        drop_unread_modalities(graph),
    );
    let graph = step("share_decodes", graph, share_decodes(graph, pretrain));
    (graph, log)
}

/// Which kinds of node became fewer or more: `encode 24 -> 4, predict 12 -> 4`.
fn difference(before: &Graph, after: &Graph) -> String {
    let (before, after) = (count(before), count(after));
    let kinds = before
        .keys()
        .chain(after.keys())
        .collect::<std::collections::BTreeSet<_>>();
    let of = |counts: &BTreeMap<_, _>, kind| counts.get(kind).copied().unwrap_or(0u32);
    let changed = kinds
        .into_iter()
        .filter(|kind| of(&before, *kind) != of(&after, *kind));
    let lines =
        changed.map(|kind| format!("{} {} -> {}", kind.1, of(&before, kind), of(&after, kind)));
    lines.collect::<Vec<_>>().join(", ")
}

/// How many nodes of each kind there are, the kinds in the order of a training step.
fn count(graph: &Graph) -> BTreeMap<(u32, &'static str), u32> {
    let mut counts = BTreeMap::new();
    for id in graph.ids() {
        *counts.entry(kind(graph.node(id))).or_default() += 1;
    }
    counts
}

fn kind(node: &Node) -> (u32, &'static str) {
    match node {
        Node::Source => (0, "source"),
        Node::Sample => (1, "sample"),
        Node::Decode { .. } => (2, "decode"),
        Node::Slice { .. } => (3, "slice"),
        Node::Augment { .. } => (4, "augment"),
        Node::Encode { .. } => (5, "encode"),
        Node::Predict { .. } => (6, "predict"),
        Node::StopGradient => (7, "stopgrad"),
        Node::L2 => (8, "l2"),
        Node::Scale { .. } => (9, "scale"),
        Node::Operator { .. } => (10, "operator"),
        Node::Term { .. } => (11, "term"),
        Node::Sum { .. } => (12, "sum"),
    }
}
