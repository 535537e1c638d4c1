//! One detached tensor where several are the same.

use super::merge_duplicates::Known;
use crate::graph::{Graph, Id, Node};

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
    let moved = graph.rewritten(|new, node, inputs| match node {
        Node::StopGradient => stop(&mut known, new, inputs[0]),
        Node::Source
        | Node::Sample
        | Node::Decode { .. }
        | Node::Slice { .. }
        | Node::Augment { .. }
        | Node::Encode { .. }
        | Node::Predict { .. }
        | Node::L2
        | Node::Scale { .. }
        | Node::Operator { .. }
        | Node::Term { .. }
        | Node::Sum { .. } => known.add(new, node.clone(), inputs),
    });
    without_leftovers(&moved)
}

/// `sg` of `input`, as far inside as it may go.
fn stop(known: &mut Known, graph: &mut Graph, input: Id) -> Id {
    let node = graph.node(input).clone();
    match node {
        Node::StopGradient => input,
        Node::L2 | Node::Scale { .. } => {
            let inner = graph.inputs(input)[0];
            let inner = stop(known, graph, inner);
            known.add(graph, node, &[inner])
        }
        Node::Source
        | Node::Sample
        | Node::Decode { .. }
        | Node::Slice { .. }
        | Node::Augment { .. }
        | Node::Encode { .. }
        | Node::Predict { .. }
        | Node::Operator { .. }
        | Node::Term { .. }
        | Node::Sum { .. } => known.add(graph, Node::StopGradient, &[input]),
    }
}

/// Without the operators whose only reader was a stop-gradient that has moved past them.
fn without_leftovers(graph: &Graph) -> Graph {
    let read = graph.read();
    graph.retained(|id| read.contains(&id) || !is_operator(graph.node(id)))
}

fn is_operator(node: &Node) -> bool {
    match node {
        Node::StopGradient | Node::L2 | Node::Scale { .. } => true,
        Node::Source
        | Node::Sample
        | Node::Decode { .. }
        | Node::Slice { .. }
        | Node::Augment { .. }
        | Node::Encode { .. }
        | Node::Predict { .. }
        | Node::Operator { .. }
        | Node::Term { .. }
        | Node::Sum { .. } => false,
    }
}
