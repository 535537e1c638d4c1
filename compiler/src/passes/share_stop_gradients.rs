//! One detached tensor where several are the same.

use super::merge_duplicates::Known;
use crate::graph::{Graph, Id, Node};
use std::collections::BTreeSet;

/// Moves stop-gradients next to the network that made the tensor, and keeps one for each tensor.
///
/// `sg(l2(z))` and `l2(sg(z))` have one value and one gradient, none: both become `l2(sg(z))`, so a target that is written in
/// two ways is one tensor, and `z` under a stop-gradient is a detach of the `z` that is there already, not a second forward.
/// `sg(sg(z))` is `sg(z)`.
///
/// Preserves values and gradients. Legal over operators without parameters and state (`l2`, scaling), not over networks: what
/// a stop-gradient in front of a network blocks is less than what one behind it blocks. Numeric class: *exact*.
pub fn share_stop_gradients(graph: &Graph) -> Graph {
    let mut known = Known::default();
    let moved = graph.rewritten(|new, node, inputs| {
        if *node == Node::StopGradient {
            stop(&mut known, new, inputs[0])
        } else {
            known.add(new, node.clone(), inputs)
        }
    });
    without_leftovers(&moved)
}

/// Stop-gradients that stand in front of a network, and why they do not move.
pub(super) fn refusals(graph: &Graph) -> Vec<String> {
    let names = graph.names();
    let mut reasons = BTreeSet::new();
    for id in graph.ids() {
        let Some((_, group)) = graph.node(id).network() else {
            continue;
        };
        for input in graph.inputs(id) {
            if *graph.node(input) == Node::StopGradient {
                let name = &names[&input];
                reasons.insert(format!(
                    "`{name}` stays in front of `{group}`, whose own parameters learn from what it makes"
                ));
            }
        }
    }
    reasons.into_iter().collect()
}

/// `sg` of `input`, as far inside as it may go.
fn stop(known: &mut Known, graph: &mut Graph, input: Id) -> Id {
    let node = graph.node(input).clone();
    if node == Node::StopGradient {
        return input;
    }
    if matches!(node, Node::L2 | Node::Scale { .. }) {
        let inner = graph.inputs(input)[0];
        let inner = stop(known, graph, inner);
        return known.add(graph, node, &[inner]);
    }
    known.add(graph, Node::StopGradient, &[input])
}

/// Without the operators whose only reader was a stop-gradient that has moved past them.
fn without_leftovers(graph: &Graph) -> Graph {
    let read = graph.read();
    graph.retained(|id| read.contains(&id) || !is_operator(graph.node(id)))
}

fn is_operator(node: &Node) -> bool {
    matches!(node, Node::StopGradient | Node::L2 | Node::Scale { .. })
}
