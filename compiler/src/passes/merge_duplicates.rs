//! Common subexpressions: one call where several ask for the same.

use crate::graph::{Graph, Id, Node};
use std::collections::BTreeMap;

/// Merges nodes that apply the same operation to the same inputs.
///
/// Terms are lowered one by one, so `intra + sync + async` asks for 24 encodings of four views. After this pass each view is
/// encoded, predicted and detached once; the twelve distances stay.
///
/// Preserves the objective and its gradient. It must run: BatchNorm's running statistics then see each view once instead of
/// six times. Legal for all nodes, for equal nodes share their parameter group and none draws random numbers of its own.
/// Numeric class: *reassociating*, for the gradients of the terms are added before the shared call instead of after it.
pub fn merge_duplicates(graph: &Graph) -> Graph {
    let mut known = Known::default();
    graph.rewritten(|new, node, inputs| known.add(new, node.clone(), inputs))
}

/// Nodes that a new graph already has.
#[derive(Default)]
pub(super) struct Known {
    ids: BTreeMap<(Node, Vec<Id>), Id>,
}

impl Known {
    /// The node of `graph` that applies `node` to `inputs`, added where it is not there yet.
    pub(super) fn add(&mut self, graph: &mut Graph, node: Node, inputs: &[Id]) -> Id {
        let key = (node, inputs.to_vec());
        if let Some(id) = self.ids.get(&key) {
            return *id;
        }
        let id = graph.add(key.0.clone(), inputs);
        self.ids.insert(key, id);
        id
    }
}
