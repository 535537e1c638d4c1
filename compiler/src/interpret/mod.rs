//! The meaning of a training step: an interpreter of graphs in f64, forwards and backwards, without any tensor library.
//!
//! Contents, draws and weights are made up, each from what it belongs to: a tick from its absolute time, an augmentation from its
//! path, a weight from its group. Two graphs mean the same when they have one objective, one gradient for each parameter
//! and leave one state behind, so each pass is proved by interpreting the graph before and after it. Everything is tiny and
//! slow; what matters is that each kind of node is here once and plainly.

mod augment;
mod members;
mod networks;
mod tape;
mod terms;
#[cfg(test)]
mod tests;
mod world;

pub use networks::Nudge;
pub use tape::Matrix;
pub use world::World;

use crate::graph::shapes::network;
use crate::graph::{Graph, Id, Node};
use crate::hir::{BatchNorm, Modality, Pretrain};
use crate::loss::{Embedding, EmbeddingOp};
use crate::validate::canonical_embeddings;
use members::{Member, without_member};
use networks::{Parameters, Seen};
use std::collections::BTreeMap;
use std::ops::Range;
use tape::{Tape, Value};
use world::Ticks;

/// How far running statistics move to what a call saw.
const BATCH_NORM_MOMENTUM: f64 = 0.1;

/// What a training step computes and leaves behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Meaning {
    /// The objective.
    pub objective: f64,
    /// The gradient of each parameter that a network of the step has.
    pub gradients: BTreeMap<String, Matrix>,
    /// Running statistics and memory banks after the step. Each call of a network moves them, in view order.
    pub state: BTreeMap<String, Vec<f64>>,
}

/// Interprets `graph`, a training step of `pretrain`, in `world`; with `nudge` at a neighbouring point.
///
/// # Panics
///
/// If `graph` is no valid training step: where [`crate::validate::validate`] panics, or at a slice outside of its decode.
pub fn interpret(
    graph: &Graph,
    pretrain: &Pretrain,
    world: &World,
    nudge: Option<&Nudge>,
) -> Meaning {
    let mut meanings = interpret_joined(graph, pretrain, world, nudge);
    assert_eq!(
        meanings.len(),
        1,
        "interpret: a training step has one objective"
    );
    meanings.remove(0)
}

/// Interprets the joined steps of several pretrainings, as [`crate::plan::passes::joined`] makes them of `whole`: the meaning of each
/// member in order. All take their step down the sum of the objectives, in which each has its own part.
///
/// # Panics
///
/// As [`interpret`].
pub fn interpret_joined(
    graph: &Graph,
    whole: &Pretrain,
    world: &World,
    nudge: Option<&Nudge>,
) -> Vec<Meaning> {
    let pretrain = whole;
    let mut run = Interpreter {
        graph,
        pretrain,
        world,
        tape: Tape::default(),
        parameters: Parameters {
            world,
            nudge,
            known: BTreeMap::new(),
        },
        embeddings: canonical_embeddings(graph),
        joined: BTreeMap::new(),
        values: BTreeMap::new(),
        calls: vec![],
        banks: BTreeMap::new(),
    };
    let mut objectives: BTreeMap<Member, Value> = BTreeMap::new();
    for id in graph.ids() {
        run.evaluate(id);
        if graph.is_objective(id) {
            let member = run.member_of_sum(id);
            let known = objectives.insert(member, run.tensor(id));
            assert!(known.is_none(), "interpret: a member has one objective");
        }
    }
    let all: Vec<Value> = objectives.values().copied().collect();
    let sum = all.into_iter().reduce(|sum, own| run.tape.add(sum, own));
    let sum = sum.expect("interpret: a training step has an objective");
    let gradients = run.tape.gradients(sum);
    let state = run.state();
    let meaning = |(member, objective): (&Member, &Value)| {
        let gradient = |(name, value): (&String, &Value)| {
            let gradient = Tape::pick(&gradients, *value)?;
            Some((member.own(name)?.to_owned(), gradient.clone()))
        };
        let state = state.iter();
        Meaning {
            objective: run.tape.of(*objective).data[0],
            gradients: run.parameters.known.iter().filter_map(gradient).collect(),
            state: state
                .filter_map(|(name, values)| Some((member.own(name)?.to_owned(), values.clone())))
                .collect(),
        }
    };
    objectives.iter().map(meaning).collect()
}

/// What a node makes.
enum Made {
    /// Nothing that is a number: the clip.
    Nothing,
    /// Ticks of each sample.
    Ticks(Vec<Ticks>),
    /// A tensor.
    Tensor(Value),
}

/// A call of a network: its place in the order of a step, and what its BatchNorm layers saw.
struct Call {
    place: (usize, u8, String, String, u32),
    seen: Seen,
}

/// Calls that `bn = joint` makes one: of one group, on views of one modality, through one chain of operators.
type Joint = (String, Embedding);

struct Interpreter<'a> {
    graph: &'a Graph,
    pretrain: &'a Pretrain,
    world: &'a World,
    tape: Tape,
    parameters: Parameters<'a>,
    embeddings: BTreeMap<Id, Embedding>,
    /// Outputs of joint calls, by what goes in.
    joined: BTreeMap<Joint, BTreeMap<Embedding, Value>>,
    values: BTreeMap<Id, Made>,
    calls: Vec<Call>,
    banks: BTreeMap<String, Bank>,
}

/// The rows of a memory bank that a step reads, and what it makes of them.
struct Bank {
    momentum: f64,
    old: Vec<f64>,
    /// By what goes in: one for each view.
    new: BTreeMap<Embedding, Vec<f64>>,
}

impl Bank {
    /// The rows after the step: moved towards the mean over the views.
    fn moved(&self) -> Vec<f64> {
        let views = self.new.len() as f64;
        let mean = |at: usize| self.new.values().map(|new| new[at]).sum::<f64>() / views;
        let move_ = |(at, old)| self.momentum * old + (1.0 - self.momentum) * mean(at);
        self.old.iter().enumerate().map(move_).collect()
    }
}

impl Interpreter<'_> {
    /// Evaluates `id` unless that is done.
    fn evaluate(&mut self, id: Id) {
        if self.values.contains_key(&id) {
            return;
        }
        let inputs = self.graph.inputs(id);
        for input in &inputs {
            self.evaluate(*input);
        }
        let made = self.make(id, &inputs);
        self.values.insert(id, made);
    }

    /// The output of one node: an arm for each kind.
    fn make(&mut self, id: Id, inputs: &[Id]) -> Made {
        let graph = self.graph;
        let samples = 0..self.world.batch;
        match graph.node(id) {
            Node::Source | Node::Sample => Made::Nothing,
            Node::Decode {
                modality,
                views,
                length,
            } => {
                let decode = |sample| {
                    let start = self.world.start(self.pretrain, sample, modality, views[0]);
                    let of = self.modality(modality);
                    self.world.decode(sample, of, start, *length)
                };
                Made::Ticks(samples.map(decode).collect())
            }
            Node::Slice { start, length, .. } => {
                let (first, last) = (*start as usize, (*start + *length) as usize);
                let cut = |ticks: &Ticks| Ticks {
                    first: ticks.first + i64::from(*start),
                    size: ticks.size,
                    content: ticks.content[first * ticks.size..last * ticks.size].to_vec(),
                };
                Made::Ticks(self.ticks(inputs[0]).iter().map(cut).collect())
            }
            Node::Augment {
                modality,
                view,
                link,
                ..
            } => self.augment(modality, *view, *link as usize, inputs[0]),
            Node::Convert { modality, .. } => match &self.values[&inputs[0]] {
                Made::Ticks(samples) => {
                    let clip = &self.modality(modality).clip;
                    let convert = |ticks| augment::convert(clip, ticks);
                    Made::Ticks(samples.iter().map(convert).collect())
                }
                Made::Tensor(_) | Made::Nothing => {
                    let x = self.tensor(inputs[0]);
                    let converted = augment::convert_batch(self.tape.of(x));
                    Made::Tensor(self.tape.constant(converted))
                }
            },
            Node::Batch { .. } => {
                let batch = augment::batch(self.ticks(inputs[0]));
                Made::Tensor(self.tape.constant(batch))
            }
            Node::Encode { group } => Made::Tensor(self.call(id, group, 0, inputs)),
            Node::Predict { group } => Made::Tensor(self.call(id, group, 1, inputs)),
            Node::Part { part } => {
                let x = self.tensor(inputs[0]);
                let rows = self.world.batch;
                let first = (*part as usize - 1) * rows;
                Made::Tensor(self.tape.part(x, first, rows))
            }
            Node::StopGradient => {
                let x = self.tensor(inputs[0]);
                Made::Tensor(self.tape.detach(x))
            }
            Node::L2 => {
                let x = self.tensor(inputs[0]);
                Made::Tensor(self.tape.unit_rows(x))
            }
            Node::Scale { by } => {
                let x = self.tensor(inputs[0]);
                Made::Tensor(self.tape.scale(x, by.to_f64()))
            }
            Node::Operator { operator } => Made::Tensor(self.operator(id, operator, inputs[0])),
            Node::Term { term } => {
                let inputs: Vec<Value> = inputs.iter().map(|input| self.tensor(*input)).collect();
                Made::Tensor(terms::term(&mut self.tape, *term, &inputs))
            }
            Node::Cosines { firsts, pairs } => {
                let inputs: Vec<Value> = inputs.iter().map(|input| self.tensor(*input)).collect();
                let (firsts, seconds) = inputs.split_at(*firsts as usize);
                Made::Tensor(terms::cosines(&mut self.tape, firsts, seconds, pairs))
            }
            Node::Sum { weights } => {
                let mut sum = None;
                let mut weights = weights.iter().map(|weight| weight.to_f64());
                for input in inputs {
                    let term = self.tensor(*input);
                    let own: Vec<f64> = weights.by_ref().take(self.tape.of(term).cols).collect();
                    let weighed = if let [weight] = own[..] {
                        self.tape.scale(term, weight)
                    } else {
                        let column = Matrix::from_fn(own.len(), 1, |i, _| own[i]);
                        let column = self.tape.constant(column);
                        self.tape.product(term, column)
                    };
                    sum = Some(match sum {
                        None => weighed,
                        Some(sum) => self.tape.add(sum, weighed),
                    });
                }
                let zero = || Matrix::from_fn(1, 1, |_, _| 0.0);
                Made::Tensor(sum.unwrap_or_else(|| self.tape.constant(zero())))
            }
        }
    }

    /// The operators beyond those that have a node of their own: an arm for each.
    fn operator(&mut self, id: Id, operator: &EmbeddingOp, input: Id) -> Value {
        let x = self.tensor(input);
        match operator {
            EmbeddingOp::Linear(width) => {
                let shape = (*width as usize, false, true);
                let name = self.member(input).named(&format!("linear{width}"));
                self.parameters.linear(&mut self.tape, &name, x, shape)
            }
            EmbeddingOp::Sinkhorn { eps } => terms::sinkhorn(&mut self.tape, x, eps.to_f64()),
            // The copy has weights of its own that no gradient moves; it follows after the step, however often it is read.
            EmbeddingOp::Ema { group, .. } => self.call(id, group, 2, &[input]),
            EmbeddingOp::Memory { momentum } => {
                // One bank for all views: what the step makes of a sample counts by its mean.
                let (rows, cols) = (self.tape.of(x).rows, self.tape.of(x).cols);
                let of = without_member(&self.embeddings[&input]).without_view();
                let kept = format!("memory({of}, {})", momentum.decimal());
                let name = self.member(input).named(&kept);
                let old = self.world.matrix(&kept, rows, cols, 1.0);
                let bank = self.banks.entry(name).or_insert_with(|| Bank {
                    momentum: momentum.to_f64(),
                    old: old.data.clone(),
                    new: BTreeMap::new(),
                });
                let new = self.tape.of(x).data.clone();
                bank.new.insert(self.embeddings[&input].clone(), new);
                self.tape.constant(old)
            }
            EmbeddingOp::Encode(_)
            | EmbeddingOp::Predict(_)
            | EmbeddingOp::StopGradient
            | EmbeddingOp::L2
            | EmbeddingOp::Scale(_) => unreachable!("graph: `{operator:?}` has a node of its own"),
        }
    }

    /// A link of a view's chain: sample by sample, or behind the batch for all at once.
    fn augment(&mut self, modality: &str, view: u32, link: usize, input: Id) -> Made {
        let (world, pretrain) = (self.world, self.pretrain);
        let modality = self.modality(modality);
        match &self.values[&input] {
            Made::Ticks(samples) => {
                let one = |(sample, ticks): (usize, &Ticks)| {
                    augment::link(world, (pretrain, modality), (sample, view), link, ticks)
                };
                Made::Ticks(samples.iter().enumerate().map(one).collect())
            }
            Made::Tensor(x) => {
                let batch = augment::link_batch(world, modality, view, link, self.tape.of(*x));
                Made::Tensor(self.tape.constant(batch))
            }
            Made::Nothing => panic!("interpret: a link reads ticks"),
        }
    }

    /// What a network takes of a node: of a view its fixed sums.
    fn input(&mut self, id: Id) -> Value {
        let x = self.tensor(id);
        let node = self.graph.node(id);
        let Some((modality, _)) = node.view() else {
            return x;
        };
        let inputs = augment::inputs(self.world, self.modality(modality), self.tape.of(x));
        self.tape.constant(inputs)
    }

    /// The network of `group` on the outputs of `inputs`; `kind` is 0 for an encoder, 1 for a predictor, 2 for a copy.
    fn call(&mut self, id: Id, group: &str, kind: u8, inputs: &[Id]) -> Value {
        if inputs.len() > 1 {
            let inputs: Vec<Value> = inputs.iter().map(|input| self.input(*input)).collect();
            let whole = self.tape.join(&inputs);
            return self.apply(id, group, kind, whole, &inputs);
        }
        match self.pretrain.bn {
            BatchNorm::PerView => {
                let x = self.input(inputs[0]);
                self.apply(id, group, kind, x, &[x])
            }
            BatchNorm::Joint => {
                let key = (
                    format!("{kind}{group}"),
                    self.embeddings[&id].without_view(),
                );
                let own = self.embeddings[&id].clone();
                if !self.joined.contains_key(&key) {
                    self.join(&key, group, kind);
                }
                self.joined[&key][&own]
            }
        }
    }

    /// Calls `group` once on all views that `key` stands for.
    fn join(&mut self, key: &Joint, group: &str, kind: u8) {
        let mut members: BTreeMap<(u32, Embedding), Id> = BTreeMap::new();
        for id in self.graph.ids() {
            let Some(embedding) = self.embeddings.get(&id) else {
                continue;
            };
            if is_call(self.graph.node(id), group, kind) && embedding.without_view() == key.1 {
                let (_, view) = embedding.view();
                members.entry((view, embedding.clone())).or_insert(id);
            }
        }
        let ids: Vec<Id> = members.values().copied().collect();
        let mut inputs = vec![];
        for id in &ids {
            let input = self.graph.inputs(*id)[0];
            self.evaluate(input);
            inputs.push(self.input(input));
        }
        let whole = self.tape.join(&inputs);
        let output = self.apply(ids[0], group, kind, whole, &inputs);
        let mut first = 0;
        let mut parts = BTreeMap::new();
        for ((_, embedding), input) in members.into_keys().zip(inputs) {
            let rows = self.tape.of(input).rows;
            parts.insert(embedding, self.tape.part(output, first, rows));
            first += rows;
        }
        self.joined.insert(key.clone(), parts);
    }

    /// One call of `group` on `whole`, the rows of `inputs`; `first` is the node that makes it, or one of them. With
    /// `bn per_view` BatchNorm sees each input on its own, otherwise all rows as one batch.
    fn apply(&mut self, first: Id, group: &str, kind: u8, whole: Value, inputs: &[Value]) -> Value {
        let mut parts = vec![];
        let mut from = 0;
        for input in inputs {
            let rows = self.tape.of(*input).rows;
            parts.push(from..from + rows);
            from += rows;
        }
        if self.pretrain.bn == BatchNorm::Joint {
            parts = std::iter::once(0..from).collect();
        }
        if let Some(group) = self.pretrain.bn_group {
            let groups = |part: &Range<usize>| {
                let starts = part.clone().step_by(group as usize);
                let end = part.end;
                let whole = starts.map(move |start| start..end.min(start + group as usize));
                whole.collect::<Vec<_>>()
            };
            parts = parts.iter().flat_map(groups).collect();
        }
        let (member, own) = Member::of_group(group);
        let network = network(self.pretrain, own)
            .expect("interpret: a group of the experiment")
            .clone();
        let name = if kind == 2 {
            member.named(&format!("ema({own})"))
        } else {
            group.to_owned()
        };
        let how = (&parts[..], kind != 2);
        let (output, seen) = self
            .parameters
            .forward(&mut self.tape, &name, &network, whole, how);
        let from = self.graph.inputs(first)[0];
        let of = &self.embeddings[&from];
        let (modality, view) = of.view();
        let place = (
            self.depth(of),
            kind,
            group.to_owned(),
            modality.to_owned(),
            view,
        );
        self.calls.push(Call { place, seen });
        output
    }

    /// Running statistics after all calls, in the order in which a step makes them, and memory banks.
    fn state(&self) -> BTreeMap<String, Vec<f64>> {
        let banks = self.banks.iter();
        let mut state: BTreeMap<_, _> = banks
            .map(|(name, bank)| (name.clone(), bank.moved()))
            .collect();
        let mut calls: Vec<&Call> = self.calls.iter().collect();
        calls.sort_by_key(|call| &call.place);
        let seen = calls.into_iter().flat_map(|call| &call.seen);
        if self.pretrain.bn_group.is_some() {
            return self.moved_once(seen, state);
        }
        for (layer, means, variances) in seen {
            for (what, values, start) in [("mean", means, 0.0), ("variance", variances, 1.0)] {
                let running = state
                    .entry(format!("{layer}.{what}"))
                    .or_insert_with(|| vec![start; values.len()]);
                for (old, new) in running.iter_mut().zip(values) {
                    *old += BATCH_NORM_MOMENTUM * (new - *old);
                }
            }
        }
        state
    }

    /// `state` with running statistics that have moved towards the mean over the groups of all calls.
    fn moved_once<'s>(
        &self,
        seen: impl Iterator<Item = &'s (String, Vec<f64>, Vec<f64>)>,
        mut state: BTreeMap<String, Vec<f64>>,
    ) -> BTreeMap<String, Vec<f64>> {
        let mut of_layers: BTreeMap<&str, Vec<[&Vec<f64>; 2]>> = BTreeMap::new();
        for (layer, means, variances) in seen {
            of_layers.entry(layer).or_default().push([means, variances]);
        }
        for (layer, groups) in of_layers {
            for (which, what, start) in [(0, "mean", 0.0), (1, "variance", 1.0)] {
                let mean = |at: usize| {
                    let sum: f64 = groups.iter().map(|group| group[which][at]).sum();
                    sum / groups.len() as f64
                };
                let moved = |at| start + BATCH_NORM_MOMENTUM * (mean(at) - start);
                let values = (0..groups[0][which].len()).map(moved).collect();
                state.insert(format!("{layer}.{what}"), values);
            }
        }
        state
    }

    /// Calls between an embedding and its view: a network on another's output runs later.
    fn depth(&self, of: &Embedding) -> usize {
        let is_network = |op: &&EmbeddingOp| match op {
            EmbeddingOp::Encode(_) | EmbeddingOp::Predict(_) | EmbeddingOp::Ema { .. } => true,
            EmbeddingOp::StopGradient
            | EmbeddingOp::L2
            | EmbeddingOp::Scale(_)
            | EmbeddingOp::Linear(_)
            | EmbeddingOp::Sinkhorn { .. }
            | EmbeddingOp::Memory { .. } => false,
        };
        of.operators().filter(is_network).count()
    }

    fn modality(&self, name: &str) -> &Modality {
        self.pretrain
            .modality(name)
            .expect("interpret: a modality of the experiment")
    }

    fn ticks(&self, id: Id) -> &[Ticks] {
        match &self.values[&id] {
            Made::Ticks(ticks) => ticks,
            Made::Nothing | Made::Tensor(_) => {
                panic!("interpret: `{:?}` makes ticks", self.graph.node(id))
            }
        }
    }

    fn tensor(&self, id: Id) -> Value {
        match &self.values[&id] {
            Made::Tensor(value) => *value,
            Made::Nothing | Made::Ticks(_) => {
                panic!("interpret: `{:?}` makes a tensor", self.graph.node(id))
            }
        }
    }
}

/// Whether `node` calls `group` as a `kind` of network.
fn is_call(node: &Node, wanted: &str, kind: u8) -> bool {
    node.call() == Some((kind, wanted))
}
