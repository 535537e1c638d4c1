//! The views of a modality through one call.

use crate::graph::{Graph, Id, Node};
use crate::loss::{Embedding, EmbeddingOp};
use crate::validate::canonical_embeddings;
use std::collections::{BTreeMap, BTreeSet};

/// Joins the calls of one network on several views of one modality to one call on the concatenated batch: fewer and larger
/// kernels.
///
/// With `bn per_view` each view keeps BatchNorm statistics of its own, and running statistics move part by part in the order of
/// the views, as they did call by call. With `bn joint` it is the plain concatenation, which is what such an experiment asks
/// for; it is a different one, and this pass never makes one of the other.
///
/// Preserves values, gradients and running statistics. Legal where the calls are the same but for the view, one for each, and
/// no other chain of operators leads to the same network in between: running statistics would move in another order. Copies
/// that follow by a moving average stay single. Numeric class: *reassociating*, for a weight's gradient is one sum over all rows
/// instead of a sum for each view; values and running statistics are exact.
pub fn batch_views(graph: &Graph) -> Graph {
    let mut joining = Joining {
        old: graph,
        new: Graph::default(),
        moved: BTreeMap::new(),
        group: BTreeMap::new(),
    };
    for (_, members) in legal(graph).0 {
        for member in &members {
            joining.group.insert(*member, members.clone());
        }
    }
    for id in graph.ids() {
        joining.make(id);
    }
    joining.new
}

/// Calls that stay single though there are several, and why.
pub(super) fn refusals(graph: &Graph) -> Vec<String> {
    legal(graph).1.into_iter().collect()
}

/// Equal calls on different views: kind, group, and the operators in between.
type Call = (u8, String, Embedding);

/// The calls that may be joined, in the order of their views, and why others may not.
fn legal(graph: &Graph) -> (BTreeMap<Call, Vec<Id>>, BTreeSet<String>) {
    let embeddings = canonical_embeddings(graph);
    let mut calls: BTreeMap<Call, Vec<(u32, Id)>> = BTreeMap::new();
    for id in graph.ids() {
        let Some((kind, group)) = graph.node(id).network() else {
            continue;
        };
        if let Some(embedding) = embeddings.get(&id) {
            let (_, view) = embedding.view();
            let call = (kind, group.to_owned(), embedding.without_view());
            calls.entry(call).or_default().push((view, id));
        }
    }
    let mut refused = BTreeSet::new();
    // Calls of one network at one depth on one modality are made one after the other, view by view.
    let place = |(kind, group, chain): &Call| {
        let modality = chain.view().0.to_owned();
        (*kind, group.clone(), depth(chain), modality)
    };
    let mut at: BTreeMap<_, u32> = BTreeMap::new();
    for call in calls.keys() {
        *at.entry(place(call)).or_default() += 1;
    }
    let mut joined = BTreeMap::new();
    for (call, mut members) in calls {
        if members.len() < 2 {
            continue;
        }
        members.sort();
        let group = &call.1;
        if members.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            refused.insert(format!(
                "`{group}` is called twice on one view: merge duplicates first"
            ));
        } else if at[&place(&call)] > 1 {
            refused.insert(format!(
                "`{group}` is called behind different operators, view by view; joined, its running statistics would move in another order"
            ));
        } else {
            let ids = members.into_iter().map(|(_, id)| id).collect();
            joined.insert(call, ids);
        }
    }
    (joined, refused)
}

/// Networks on the way to an embedding.
fn depth(embedding: &Embedding) -> usize {
    let is_network = |op: &&EmbeddingOp| {
        matches!(
            op,
            EmbeddingOp::Encode(_) | EmbeddingOp::Predict(_) | EmbeddingOp::Ema { .. }
        )
    };
    embedding.operators().filter(is_network).count()
}

/// A graph in the making.
struct Joining<'a> {
    old: &'a Graph,
    new: Graph,
    moved: BTreeMap<Id, Id>,
    /// The calls that are joined with a call, itself among them.
    group: BTreeMap<Id, Vec<Id>>,
}

impl Joining<'_> {
    /// What stands for `id` in the new graph. A joined call comes as early as its first view needs it, behind all its inputs;
    /// these stand at a lesser depth, so that this ends.
    fn make(&mut self, id: Id) -> Id {
        if let Some(known) = self.moved.get(&id) {
            return *known;
        }
        let node = self.old.node(id).clone();
        let Some(members) = self.group.get(&id).cloned() else {
            let inputs: Vec<Id> = self
                .old
                .inputs(id)
                .into_iter()
                .map(|i| self.make(i))
                .collect();
            let made = self.new.add(node, &inputs);
            self.moved.insert(id, made);
            return made;
        };
        let inputs: Vec<Id> = members
            .iter()
            .map(|member| self.make(self.old.inputs(*member)[0]))
            .collect();
        let call = self.new.add(node, &inputs);
        for (part, member) in (1..).zip(members) {
            let part = self.new.add(Node::Part { part }, &[call]);
            self.moved.insert(member, part);
        }
        self.moved[&id]
    }
}
