//! The experiment graph: one training step as nodes and edges.

mod draw;
pub mod networks;
mod picture;
mod print;
pub mod shapes;
#[cfg(test)]
mod tests;
pub mod work;

pub use draw::{dot, dot_of, mermaid, mermaid_of, picture, svg, svg_of};
pub use picture::{Boxed, Picture};
pub use print::{json, json_of, nodes, pairs, relaxation, text, text_of};

use crate::loss::{EmbeddingOp, Scope, TermOp};
use crate::plan::Step;
use crate::units::Exact;
use petgraph::stable_graph::{NodeIndex, StableDiGraph};
use petgraph::visit::EdgeRef;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One operation of the graph. B is the batch, D the width of an embedding. Views are numbered from 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "op")]
pub enum Node {
    /// A sample of the data set. No inputs.
    Source,
    /// The windows of all views of all declared modalities, by the relaxation policy. Input: the source.
    Sample,
    /// Decoded ticks (frames `[T, H, W, 3]` u8, or samples `[N]` f32) that start with the window of `views[0]`. Input: the sample.
    Decode {
        /// Modality.
        modality: String,
        /// The views cut out of it; more than one after decode sharing.
        views: Vec<u32>,
        /// Frames or samples.
        length: u32,
    },
    /// One view's window cut out of decoded ticks. Input: the decode.
    Slice {
        /// Modality.
        modality: String,
        /// View.
        view: u32,
        /// First tick.
        start: u32,
        /// Number of ticks.
        length: u32,
    },
    /// One link of a view's chain. Random numbers at `v/1/MSC`. Input: the view so far.
    Augment {
        /// Modality.
        modality: String,
        /// View.
        view: u32,
        /// Its place in the chain, from 0.
        link: u32,
        /// Its short name: `MSC`.
        name: String,
    },
    /// Sound to a spectrogram, or frames to the numbers that a network takes. Input: the view so far.
    Convert {
        /// Modality.
        modality: String,
        /// View.
        view: u32,
    },
    /// The samples of a view as one batch, where the networks are: what stands before it is done sample by sample on the host,
    /// what stands behind it for all samples at once. Input: the view so far.
    Batch {
        /// Modality.
        modality: String,
        /// View.
        view: u32,
    },
    /// `z = f(x)`: `[B, D]`. Inputs: a view, or several of one modality in one call on `[n B, ...]`, with `bn per_view` each
    /// with BatchNorm statistics of its own and in this order.
    Encode {
        /// Parameter group, `v.f`.
        group: String,
    },
    /// `p = h(z)`: `[B, D]`. Inputs: an embedding, or several as for an encoder.
    Predict {
        /// Parameter group, `v.h`.
        group: String,
    },
    /// What a call on several inputs made of one of them. Input: the call.
    Part {
        /// Which of its inputs, from 1.
        part: u32,
    },
    /// The identity forwards, no gradient backwards. Input: an embedding.
    StopGradient,
    /// Rows divided by their norm. Input: an embedding.
    L2,
    /// Multiplication by a number. Input: an embedding.
    Scale {
        /// The factor.
        by: Exact,
    },
    /// An operator of the language that no training step executes yet; a plan refuses it. Input: an embedding.
    Operator {
        /// `Linear`, `Sinkhorn`, `Ema` or `Memory`.
        operator: EmbeddingOp,
    },
    /// A scalar. Inputs: the arguments in order.
    Term {
        /// The operator.
        term: TermOp,
    },
    /// Cosines as entries of one matrix, normalised first arguments times normalised second ones: `[n]`. Inputs: the first
    /// arguments, then the second ones, each once.
    Cosines {
        /// How many of the inputs are first arguments.
        firsts: u32,
        /// Row and column of each cosine, from 0.
        pairs: Vec<(u32, u32)>,
    },
    /// A weighted sum, a scalar: of terms, cosines and other sums. What no other sum reads is the objective.
    Sum {
        /// A weight for each input, as many as there are entries for [`Node::Cosines`].
        weights: Vec<Exact>,
    },
}

impl Node {
    /// The view whose ticks the node cuts, changes or gathers: modality and number.
    pub fn view(&self) -> Option<(&str, u32)> {
        match self {
            Node::Slice { modality, view, .. }
            | Node::Augment { modality, view, .. }
            | Node::Convert { modality, view }
            | Node::Batch { modality, view } => Some((modality, *view)),
            Node::Source
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
            | Node::Sum { .. } => None,
        }
    }

    /// Whether it is a step of a view's chain behind the slice: a link, the conversion or the batch.
    pub fn is_chain(&self) -> bool {
        matches!(
            self,
            Node::Augment { .. } | Node::Convert { .. } | Node::Batch { .. }
        )
    }

    /// Whether it is about clips, times and views: what a loader may do.
    pub fn is_data(&self) -> bool {
        self.view().is_some() || matches!(self, Node::Source | Node::Sample | Node::Decode { .. })
    }

    /// The network that the node calls: 0 for an encoder or 1 for a predictor, and its group.
    pub fn network(&self) -> Option<(u8, &str)> {
        match self {
            Node::Encode { group } => Some((0, group)),
            Node::Predict { group } => Some((1, group)),
            Node::Source
            | Node::Sample
            | Node::Decode { .. }
            | Node::Slice { .. }
            | Node::Augment { .. }
            | Node::Convert { .. }
            | Node::Batch { .. }
            | Node::Part { .. }
            | Node::StopGradient
            | Node::L2
            | Node::Scale { .. }
            | Node::Operator { .. }
            | Node::Term { .. }
            | Node::Cosines { .. }
            | Node::Sum { .. } => None,
        }
    }

    /// What kind of network it calls and whose: as [`Node::network`], and 2 for the moving average of a group.
    pub fn call(&self) -> Option<(u8, &str)> {
        if let Node::Operator {
            operator: EmbeddingOp::Ema { group, .. },
        } = self
        {
            return Some((2, group));
        }
        self.network()
    }

    /// Which samples it compares: what looks across the batch is gathered first where several ranks share one.
    pub fn scope(&self) -> Scope {
        match self {
            Node::Term { term } => term.scope(),
            Node::Operator { operator } => operator.scope(),
            Node::Source
            | Node::Sample
            | Node::Decode { .. }
            | Node::Slice { .. }
            | Node::Augment { .. }
            | Node::Convert { .. }
            | Node::Batch { .. }
            | Node::Encode { .. }
            | Node::Predict { .. }
            | Node::Part { .. }
            | Node::StopGradient
            | Node::L2
            | Node::Scale { .. }
            | Node::Cosines { .. }
            | Node::Sum { .. } => Scope::Sample,
        }
    }

    /// Whether it makes one number, or a few that a sum weighs.
    pub fn is_scalar(&self) -> bool {
        matches!(
            self,
            Node::Term { .. } | Node::Cosines { .. } | Node::Sum { .. }
        )
    }

    /// Whether it makes of each row of an embedding one of its own, whatever the other rows are, and remembers nothing.
    pub fn is_of_row(&self) -> bool {
        matches!(
            self,
            Node::StopGradient
                | Node::L2
                | Node::Scale { .. }
                | Node::Operator {
                    operator: EmbeddingOp::Linear(_)
                }
        )
    }

    /// Whether its parameters learn from the gradient of what reads it.
    pub(crate) fn has_parameters(&self) -> bool {
        self.network().is_some()
            || matches!(
                self,
                Node::Operator {
                    operator: EmbeddingOp::Linear(_)
                }
            )
    }

    /// Whether no gradient goes from its readers to its inputs.
    pub(crate) fn blocks(&self) -> bool {
        self.is_data()
            || matches!(
                self,
                Node::StopGradient
                    | Node::Operator {
                        operator: EmbeddingOp::Ema { .. } | EmbeddingOp::Memory { .. }
                    }
            )
    }
}

/// An input of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// Which argument it is, from 0.
    pub argument: u32,
    /// Whether a gradient flows back along it: what it comes from depends on parameters otherwise than through a stop-gradient,
    /// and what it leads to hands gradients on.
    pub gradient: bool,
}

/// A node of one graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(NodeIndex);

/// A directed acyclic graph of [`Node`]s. A node is added after its inputs, so it cannot be made cyclic.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    inner: StableDiGraph<Node, Edge>,
}

impl Graph {
    /// Adds `node` with its arguments in order.
    pub fn add(&mut self, node: Node, inputs: &[Id]) -> Id {
        let passes = !node.blocks();
        let id = self.inner.add_node(node);
        for (argument, input) in (0..).zip(inputs) {
            let gradient = passes && self.learns(*input);
            self.inner
                .add_edge(input.0, id, Edge { argument, gradient });
        }
        Id(id)
    }

    /// Whether a gradient of what `id` makes reaches a parameter.
    pub fn learns(&self, id: Id) -> bool {
        self.node(id).has_parameters() || self.edges(id).iter().any(|(edge, _)| edge.gradient)
    }

    /// The edges into `id` in the order of the arguments, with what they come from.
    pub fn edges(&self, id: Id) -> Vec<(Edge, Id)> {
        let mut edges: Vec<(Edge, Id)> = self
            .inner
            .edges_directed(id.0, petgraph::Direction::Incoming)
            .map(|edge| (*edge.weight(), Id(edge.source())))
            .collect();
        edges.sort();
        edges
    }

    /// The nodes that read `id`.
    pub fn readers(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        self.inner
            .edges_directed(id.0, petgraph::Direction::Outgoing)
            .map(|edge| Id(edge.target()))
    }

    /// What `id` does.
    pub fn node(&self, id: Id) -> &Node {
        &self.inner[id.0]
    }

    /// The arguments of `id` in order.
    pub fn inputs(&self, id: Id) -> Vec<Id> {
        self.edges(id).into_iter().map(|(_, input)| input).collect()
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.inner.node_count()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All nodes in the order in which they were added: inputs come first.
    pub fn ids(&self) -> impl Iterator<Item = Id> + '_ {
        self.inner.node_indices().map(Id)
    }

    /// The name of each node, from what it computes: `v1.MSC`, `v1` for the end of its chain, `z.v1`, `p.a2`, `s.v1`,
    /// `cos(p.v1,s.a2)`, `L`. Equal nodes that are not merged are numbered: `z.v1#2`. What a call on several views made of one
    /// has the name of a call on that view alone.
    pub fn names(&self) -> BTreeMap<Id, String> {
        let mut names: BTreeMap<Id, String> = BTreeMap::new();
        let mut content: BTreeMap<Id, String> = BTreeMap::new();
        let mut used: BTreeMap<String, u32> = BTreeMap::new();
        for id in self.ids() {
            let node = self.node(id);
            let name = if let Node::Part { part } = node {
                let call = self.inputs(id)[0];
                let own = self.inputs(call)[*part as usize - 1];
                content_name(self.node(call), &[content[&own].as_str()])
            } else if let Some((modality, view)) = node.view().filter(|_| self.ends_chain(id)) {
                format!("{modality}{view}")
            } else if matches!(node, Node::Sum { .. }) && !self.is_objective(id) {
                "sum".to_owned()
            } else {
                let inputs = self.inputs(id);
                let inputs: Vec<&str> = inputs.iter().map(|i| content[i].as_str()).collect();
                content_name(node, &inputs)
            };
            let count = used.entry(name.clone()).or_default();
            *count += 1;
            let number = if *count > 1 {
                format!("#{count}")
            } else {
                String::new()
            };
            names.insert(id, format!("{name}{number}"));
            content.insert(id, name);
        }
        names
    }

    /// Whether `id` is the last step of a view's chain: what an encoder reads.
    pub fn ends_chain(&self, id: Id) -> bool {
        self.node(id).is_chain() && !self.readers(id).any(|reader| self.node(reader).is_chain())
    }

    /// Whether `id` is the sum that no other reads.
    pub fn is_objective(&self, id: Id) -> bool {
        matches!(self.node(id), Node::Sum { .. }) && self.readers(id).next().is_none()
    }

    /// How many weights a sum has for `id`.
    pub fn addends(&self, id: Id) -> usize {
        if let Node::Cosines { pairs, .. } = self.node(id) {
            pairs.len()
        } else {
            1
        }
    }

    /// The steps of the chain that ends with `id`, from the slice on: the slice itself first.
    pub fn chain(&self, id: Id) -> Vec<Id> {
        let mut chain = vec![id];
        let mut here = id;
        while self.node(here).is_chain() {
            here = self.inputs(here)[0];
            chain.push(here);
        }
        chain.reverse();
        chain
    }

    /// All nodes in an order in which they can be executed: level by level, and by name within a level.
    pub fn topological(&self) -> Vec<Id> {
        let names = self.names();
        let mut missing: BTreeMap<Id, usize> =
            self.ids().map(|id| (id, self.inputs(id).len())).collect();
        let key = |id: Id| (level(self.node(id)), natural(&names[&id]), id);
        let mut ready: BTreeSet<_> = self.ids().filter(|id| missing[id] == 0).map(key).collect();
        let mut order = Vec::with_capacity(self.len());
        while let Some((_, _, id)) = ready.pop_first() {
            order.push(id);
            for reader in self.readers(id) {
                let count = missing
                    .get_mut(&reader)
                    .expect("graph: every reader is a node");
                *count -= 1;
                if *count == 0 {
                    ready.insert(key(reader));
                }
            }
        }
        order
    }

    /// The nodes as a plan lists them, in topological order.
    pub fn steps(&self) -> Vec<Step> {
        let names = self.names();
        let order = self.topological();
        let position: BTreeMap<Id, usize> =
            order.iter().enumerate().map(|(i, id)| (*id, i)).collect();
        let step = |id: &Id| Step {
            name: names[id].clone(),
            node: self.node(*id).clone(),
            inputs: self
                .inputs(*id)
                .iter()
                .map(|input| position[input])
                .collect(),
        };
        order.iter().map(step).collect()
    }

    /// The copy of this graph in which each node is what `rewrite` makes of it. `rewrite` sees inputs before their readers,
    /// and is given the new graph, the node, and its inputs in the new graph.
    pub(crate) fn rewritten(
        &self,
        mut rewrite: impl FnMut(&mut Graph, &Node, &[Id]) -> Id,
    ) -> Graph {
        let mut new = Graph::default();
        let mut moved: BTreeMap<Id, Id> = BTreeMap::new();
        for id in self.ids() {
            let inputs: Vec<Id> = self.inputs(id).iter().map(|input| moved[input]).collect();
            let made = rewrite(&mut new, self.node(id), &inputs);
            moved.insert(id, made);
        }
        new
    }

    /// The copy of this graph that has the nodes for which `keep` holds; it holds for the inputs of each of them too.
    pub(crate) fn retained(&self, keep: impl Fn(Id) -> bool) -> Graph {
        self.retained_with(keep).0
    }

    /// [`Graph::retained`], and where each node of the copy comes from.
    pub(crate) fn retained_with(&self, keep: impl Fn(Id) -> bool) -> (Graph, BTreeMap<Id, Id>) {
        let mut new = Graph::default();
        let mut moved: BTreeMap<Id, Id> = BTreeMap::new();
        for id in self.ids().filter(|id| keep(*id)) {
            let inputs: Vec<Id> = self.inputs(id).iter().map(|input| moved[input]).collect();
            moved.insert(id, new.add(self.node(id).clone(), &inputs));
        }
        (new, moved)
    }

    /// The nodes that the objective depends on.
    pub(crate) fn read(&self) -> BTreeSet<Id> {
        let mut read: BTreeSet<Id> = BTreeSet::new();
        let mut ids: Vec<Id> = self.ids().collect();
        ids.reverse();
        for id in ids {
            let is_root =
                matches!(self.node(id), Node::Sample | Node::Source) || self.is_objective(id);
            if is_root || read.contains(&id) {
                read.insert(id);
                read.extend(self.inputs(id));
            }
        }
        read
    }
}

/// Nodes of one level stand together in the order.
fn level(node: &Node) -> u32 {
    match node {
        Node::Source => 0,
        Node::Sample => 1,
        Node::Decode { .. } => 2,
        Node::Slice { .. } => 3,
        Node::Augment { .. } | Node::Convert { .. } | Node::Batch { .. } => 4,
        Node::Encode { .. } | Node::Part { .. } => 5,
        Node::Predict { .. } => 6,
        Node::StopGradient | Node::L2 | Node::Scale { .. } | Node::Operator { .. } => 7,
        Node::Term { .. } | Node::Cosines { .. } => 8,
        Node::Sum { .. } => 9,
    }
}

/// `name` for sorting: `v10` after `v2`.
fn natural(name: &str) -> Vec<(String, u64)> {
    let mut parts: Vec<(String, u64)> = vec![];
    let mut rest = name;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (text, after) = rest.split_at(digits);
        let end = after
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(after.len());
        parts.push((text.to_owned(), after[..end].parse().unwrap_or(0)));
        rest = &after[end..];
    }
    parts
}

/// The name of a node from what it computes.
fn content_name(node: &Node, inputs: &[&str]) -> String {
    let input = inputs.first().copied().unwrap_or_default();
    match node {
        Node::Source => "clip".to_owned(),
        Node::Sample => "t".to_owned(),
        Node::Decode {
            modality, views, ..
        } if views.len() == 1 => format!("d{modality}{}", views[0]),
        Node::Decode { modality, .. } => format!("d{modality}"),
        Node::Slice { modality, view, .. } => format!("{modality}{view}.cut"),
        Node::Augment {
            modality,
            view,
            name,
            ..
        } => format!("{modality}{view}.{name}"),
        Node::Convert { modality, view } => format!("{modality}{view}.convert"),
        Node::Batch { modality, view } => format!("{modality}{view}.batch"),
        Node::Encode { group } => format!("{}.{}", letter("z", group, input), inputs.join("+")),
        Node::Predict { group } => {
            let embeddings = inputs.iter().map(|z| z.strip_prefix("z.").unwrap_or(z));
            let embeddings = embeddings.collect::<Vec<_>>().join("+");
            format!("{}.{embeddings}", letter("p", group, &embeddings))
        }
        Node::Part { part } => format!("{input}.{part}"),
        Node::StopGradient => format!("s.{}", input.strip_prefix("z.").unwrap_or(input)),
        Node::L2 => format!("l2.{input}"),
        Node::Scale { by } => format!("x{by}.{input}"),
        Node::Operator { operator } => match operator {
            EmbeddingOp::Linear(width) => format!("linear{width}.{input}"),
            EmbeddingOp::Sinkhorn { .. } => format!("sinkhorn.{input}"),
            EmbeddingOp::Ema { group, .. } => format!("ema[{group}].{input}"),
            EmbeddingOp::Memory { .. } => format!("memory.{input}"),
            EmbeddingOp::Encode(_)
            | EmbeddingOp::Predict(_)
            | EmbeddingOp::StopGradient
            | EmbeddingOp::L2
            | EmbeddingOp::Scale(_) => unreachable!("graph: `{operator:?}` has a node of its own"),
        },
        Node::Term { term } => format!("{}({})", term.name(), inputs.join(",")),
        Node::Cosines { .. } => "cosines".to_owned(),
        Node::Sum { .. } => "L".to_owned(),
    }
}

/// `z` for `v.f` over a view of `v`; `z[v.f]` where another modality's group is applied.
fn letter(letter: &str, group: &str, input: &str) -> String {
    let modality = group.split('.').next().unwrap_or_default();
    let is_own = input
        .strip_prefix(modality)
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if is_own {
        letter.to_owned()
    } else {
        format!("{letter}[{group}]")
    }
}
