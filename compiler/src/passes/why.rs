//! What each pass did to a graph, and what it left as it is.

use super::Pass;
use crate::graph::{Graph, Node};
use crate::hir::Pretrain;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What one pass did to one graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// The pass.
    pub pass: Pass,
    /// What it did: `encode 24 -> 4, predict 12 -> 4`; empty where it found nothing to do.
    pub done: String,
    /// What it left as it is, and why.
    pub refused: Vec<String>,
}

impl Why {
    /// What `pass` did to `before` to make it `after`.
    pub(super) fn of(pass: Pass, (before, after): (&Graph, &Graph), pretrain: &Pretrain) -> Why {
        let done = match pass {
            Pass::MoveDomain => super::move_domain::moved(before, after),
            Pass::ExpandAndFold
            | Pass::MergeDuplicates
            | Pass::ShareStopGradients
            | Pass::DropUnreadModalities
            | Pass::ShareDecodes
            | Pass::BatchViews
            | Pass::FuseTerms => difference(before, after),
        };
        Why {
            pass,
            done,
            refused: pass.refusals(before, pretrain),
        }
    }

    /// What it did, in words.
    fn outcome(&self) -> &str {
        if self.done.is_empty() {
            "nothing to do"
        } else {
            &self.done
        }
    }
}

/// The log for people: a line for each pass with its class, what it did, and below it what it left as it is.
pub fn text(log: &[Why]) -> String {
    let widest = |of: &dyn Fn(&Why) -> usize| log.iter().map(of).max().unwrap_or(0);
    let name = widest(&|why| why.pass.name().len());
    let class = widest(&|why| why.pass.class().name().len());
    let mut out = String::new();
    for why in log {
        out += &format!(
            "  {:name$}  {:class$}  {}\n",
            why.pass.name(),
            why.pass.class().name(),
            why.outcome()
        );
        for reason in &why.refused {
            out += &format!("  {:name$}  {:class$}  not: {reason}\n", "", "");
        }
    }
    out
}

/// The log as JSON: `[{"pass", "class", "default", "done", "refused"}]`.
pub fn json(log: &[Why]) -> String {
    #[derive(Serialize)]
    struct Printed<'a> {
        pass: &'a str,
        summary: &'a str,
        class: &'a str,
        default: bool,
        done: &'a str,
        refused: &'a [String],
    }
    let printed = |why| {
        let Why {
            pass,
            done,
            refused,
        }: &Why = why;
        Printed {
            pass: pass.name(),
            summary: pass.summary(),
            class: pass.class().name(),
            default: pass.is_default(),
            done,
            refused,
        }
    };
    let lines: Vec<Printed<'_>> = log.iter().map(printed).collect();
    serde_json::to_string_pretty(&lines).expect("logs are plain data")
}

/// Which kinds of node became fewer or more: `encode 24 -> 4, predict 12 -> 4`.
fn difference(before: &Graph, after: &Graph) -> String {
    let (before, after) = (count(before), count(after));
    let kinds: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let of = |counts: &BTreeMap<_, _>, kind| counts.get(kind).copied().unwrap_or(0u32);
    let changed = kinds
        .into_iter()
        .filter(|kind| of(&before, *kind) != of(&after, *kind));
    let lines =
        changed.map(|kind| format!("{} {} -> {}", kind.1, of(&before, kind), of(&after, kind)));
    lines.collect::<Vec<_>>().join(", ")
}

/// How many nodes of each kind there are, the kinds in the order of a training step.
pub(super) fn count(graph: &Graph) -> BTreeMap<(u32, &'static str), u32> {
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
        Node::Convert { .. } => (5, "convert"),
        Node::Batch { .. } => (6, "batch"),
        Node::Encode { .. } => (7, "encode"),
        Node::Predict { .. } => (8, "predict"),
        Node::Part { .. } => (9, "part"),
        Node::StopGradient => (10, "stopgrad"),
        Node::L2 => (11, "l2"),
        Node::Scale { .. } => (12, "scale"),
        Node::Operator { .. } => (13, "operator"),
        Node::Term { .. } => (14, "term"),
        Node::Cosines { .. } => (15, "cosines"),
        Node::Sum { .. } => (16, "sum"),
    }
}
