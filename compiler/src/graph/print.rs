//! The graph as text: one line for each node, stable, so that a person can review it and a snapshot can keep it.

use super::shapes::{network, shape};
use super::{Graph, Id, Node, term_name};
use crate::hir::{
    Across, BatchNorm, Chain, Clip, Data, FlowMethod, Layer, LogMel, Modality, Network, Optimiser,
    Pretrain, Relaxation, Schedule, Within, Words,
};
use crate::loss::{Embedding, EmbeddingOp, Loss, TermOp};
use crate::passes::build;
use crate::units::Exact;
use crate::written;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The training step of `pretrain` as the passes leave it, a line for each node and one for each parameter group.
pub fn text(pretrain: &Pretrain, name: &str) -> String {
    let (graph, log) = build(pretrain);
    let mut out = format!(
        "graph {name} (train step)  relax = {}\n",
        relaxation(&pretrain.relax)
    );
    if let Some(pairs) = pairs(&pretrain.loss) {
        let pairs: Vec<String> = pairs
            .iter()
            .map(|(pair, weight)| format!("{pair} {weight}"))
            .collect();
        out += &format!("  pairs  {}\n", pairs.join("  "));
    }
    out += &columns(lines(&graph, pretrain));
    out += "\n";
    out += &columns(groups(&graph, pretrain));
    let (bn, per_epoch) = (batch_norm(pretrain.bn), pretrain.steps_per_epoch());
    let optimiser = optimiser(&pretrain.optim);
    out += &format!(
        "\n  optimise  {optimiser}, {} epochs of {per_epoch} steps, bs {}, {bn}\n",
        pretrain.ep, pretrain.bs
    );
    for why in log.iter().filter(|why| !why.done.is_empty()) {
        out += &format!("  {}  {}\n", why.pass, why.done);
    }
    out
}

/// The training step of `pretrain` as JSON: `{"name": ..., "steps": [{"name", "node", "inputs", "shape"}]}`.
pub fn json(pretrain: &Pretrain, name: &str) -> String {
    #[derive(Serialize)]
    struct Printed<'a> {
        name: &'a str,
        steps: Vec<PrintedStep>,
    }
    #[derive(Serialize)]
    struct PrintedStep {
        name: String,
        node: Node,
        inputs: Vec<String>,
        shape: Option<String>,
    }
    let (graph, _) = build(pretrain);
    let names = graph.names();
    let step = |id: Id| PrintedStep {
        name: names[&id].clone(),
        node: graph.node(id).clone(),
        inputs: graph
            .inputs(id)
            .iter()
            .map(|input| names[input].clone())
            .collect(),
        shape: shape(&graph, pretrain, id).map(|shape| shape.to_string()),
    };
    let printed = Printed {
        name,
        steps: graph.topological().into_iter().map(step).collect(),
    };
    serde_json::to_string_pretty(&printed).expect("graphs are plain data")
}

/// `%z.v1 = v.f %v1`, the type, and a remark, for each node.
fn lines(graph: &Graph, pretrain: &Pretrain) -> Vec<[String; 4]> {
    let names = graph.names();
    let weights = term_weights(graph);
    let line = |id: Id| {
        let inputs: Vec<String> = graph
            .inputs(id)
            .iter()
            .map(|input| format!("%{}", names[input]))
            .collect();
        let (operation, remark) = describe(graph.node(id), pretrain);
        let (operands, remark) = match graph.node(id) {
            Node::Sum { weights } => {
                let total = weights
                    .iter()
                    .try_fold(Exact::whole(0), |sum, weight| sum.plus(*weight));
                let total = total.map_or(String::new(), |total| format!("total weight {total}"));
                (format!("{} terms", inputs.len()), total)
            }
            Node::Term { .. } => (inputs.join(" "), format!("weight {}", weights[&id])),
            Node::Source
            | Node::Sample
            | Node::Decode { .. }
            | Node::Slice { .. }
            | Node::Augment { .. }
            | Node::Encode { .. }
            | Node::Predict { .. }
            | Node::StopGradient
            | Node::L2
            | Node::Scale { .. }
            | Node::Operator { .. } => (inputs.join(" "), remark),
        };
        let shape = shape(graph, pretrain, id).map_or(String::new(), |shape| shape.to_string());
        let call = [operation, operands].join(" ").trim_end().to_owned();
        [
            format!("%{}", names[&id]),
            format!("= {call}"),
            shape,
            remark,
        ]
    };
    graph.topological().into_iter().map(line).collect()
}

/// The weight of each term in the objective.
fn term_weights(graph: &Graph) -> BTreeMap<Id, Exact> {
    let mut found = BTreeMap::new();
    for id in graph.ids() {
        if let Node::Sum { weights } = graph.node(id) {
            for (term, weight) in graph.inputs(id).into_iter().zip(weights) {
                let total: &mut Exact = found.entry(term).or_insert(Exact::whole(0));
                *total = total
                    .plus(*weight)
                    .expect("print: a term stands once in the normal form");
            }
        }
    }
    found
}

/// The operation of a node, and what is worth knowing beside it.
pub(super) fn describe(node: &Node, pretrain: &Pretrain) -> (String, String) {
    let clip = |modality: &str| pretrain.modality(modality).map(|m| &m.clip);
    match node {
        Node::Source => {
            let requires = pretrain.data.requires();
            (
                format!("source {}", data(&pretrain.data)),
                format!("requires {}", requires.join(" ")),
            )
        }
        Node::Sample => {
            let window = |m: &Modality| format!("{} {}s", m.name, m.clip.seconds().decimal());
            let windows: Vec<String> = pretrain.modalities.iter().map(window).collect();
            (format!("sample x{}", pretrain.views), windows.join(", "))
        }
        Node::Decode {
            modality, length, ..
        } => {
            let remark = clip(modality).map_or(String::new(), |clip| match clip {
                Clip::Video { fps, .. } | Clip::Flow { fps, .. } => {
                    format!("{length} frames, {}fps", fps.decimal())
                }
                Clip::Text {
                    from: Words::Captions,
                    ..
                } => format!("{length} words of captions"),
                Clip::Audio { rate, .. } => format!("{length} samples, {}Hz", rate.decimal()),
            });
            (format!("decode {modality}"), remark)
        }
        Node::Slice { start, length, .. } => {
            (format!("slice {start}..{}", start + length), String::new())
        }
        Node::Augment { modality, view } => {
            let m = pretrain.modality(modality);
            let chain = m.map_or(String::new(), |m| chain(&m.augment, &m.clip));
            // What follows another view draws nothing itself.
            let draws = m.and_then(|m| m.augment.follows()).unwrap_or(modality);
            (chain, format!("rng {draws}/{view}"))
        }
        Node::Encode { group } | Node::Predict { group } => (group.clone(), String::new()),
        Node::StopGradient => ("stopgrad".to_owned(), String::new()),
        Node::L2 => ("l2".to_owned(), String::new()),
        Node::Scale { by } => (format!("scale {by}"), String::new()),
        Node::Operator { operator } => (operator_text(operator), String::new()),
        Node::Term {
            term: TermOp::InfoNce { t, negatives },
        } => {
            let negatives = negatives.map_or_else(String::new, |n| format!(", negatives: {n}"));
            (
                format!("info_nce(t: {}{negatives})", t.decimal()),
                String::new(),
            )
        }
        Node::Term { term } => (term_name(*term).to_owned(), String::new()),
        Node::Sum { .. } => ("sum".to_owned(), String::new()),
    }
}

fn operator_text(operator: &EmbeddingOp) -> String {
    match operator {
        EmbeddingOp::Encode(group) | EmbeddingOp::Predict(group) => group.clone(),
        EmbeddingOp::StopGradient => "stopgrad".to_owned(),
        EmbeddingOp::L2 => "l2".to_owned(),
        EmbeddingOp::Scale(by) => format!("scale {by}"),
        EmbeddingOp::Linear(width) => format!("linear({width})"),
        EmbeddingOp::Sinkhorn { eps } => format!("sinkhorn(eps: {})", eps.decimal()),
        EmbeddingOp::Ema {
            group,
            decay: (from, to),
        } => format!(
            "ema({group}, decay: {} -> {})",
            from.decimal(),
            to.decimal()
        ),
        EmbeddingOp::Memory { momentum } => format!("memory(momentum: {})", momentum.decimal()),
    }
}

/// Each parameter group that is trained: its layers and rate.
fn groups(graph: &Graph, pretrain: &Pretrain) -> Vec<[String; 4]> {
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for id in graph.ids() {
        if let Node::Encode { group } | Node::Predict { group } = graph.node(id) {
            used.insert(group);
        }
    }
    let mut lines = vec![];
    for m in &pretrain.modalities {
        for (part, rate) in [("f", &m.lr_b), ("h", &m.lr_p)] {
            let group = format!("{}.{part}", m.name);
            if let Some(network) =
                network(pretrain, &group).filter(|_| used.contains(group.as_str()))
            {
                lines.push([
                    group,
                    layers(network),
                    String::new(),
                    format!("lr {}", schedule(rate)),
                ]);
            }
        }
    }
    lines
}

/// `r2plus1d(depth: 18, width: 64) - fc(2048)-bn-relu`.
fn layers(network: &Network) -> String {
    let mut text = String::new();
    for (i, layer) in network.layers.iter().enumerate() {
        let (name, starts) = match layer {
            Layer::R2plus1d { .. }
            | Layer::Resnet { .. }
            | Layer::BagOfWords { .. }
            | Layer::Fc { .. }
            | Layer::L2 => (written::layer(layer), true),
            Layer::Bn | Layer::Relu => (written::layer(layer), false),
        };
        let joint = match (i, starts) {
            (0, _) => "",
            (_, true) => " - ",
            (_, false) => "-",
        };
        text += joint;
        text += &name;
    }
    text
}

/// `consistent(MSC-HF)`, or for sound with the conversion in its place: `VJ -> logmel 80x200 -> FM-TM-RC`.
fn chain(chain: &Chain, clip: &Clip) -> String {
    use crate::hir::Domain;
    let names = |domains: &[Domain]| {
        let links = chain
            .links
            .iter()
            .filter(|link| domains.contains(&link.domain()));
        links.map(|link| link.short()).collect::<Vec<_>>().join("-")
    };
    let links = match clip {
        Clip::Video { .. } if chain.links.is_empty() => "convert".to_owned(),
        Clip::Video { .. } => names(&[Domain::Frames]),
        Clip::Audio { samples, mel, .. } => {
            let LogMel { bands, .. } = mel;
            let logmel = format!("logmel {bands}x{}", mel.columns(*samples));
            let parts = [
                names(&[Domain::Wave]),
                logmel,
                names(&[Domain::Spectrogram]),
            ];
            parts
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join(" -> ")
        }
        Clip::Text {
            from: Words::Captions,
            ..
        } => joined("captions", &names(&[Domain::Words])),
        Clip::Flow {
            method: FlowMethod::Tvl1,
            ..
        } => {
            let follow = chain.follows().map(|view| format!("follow({view})"));
            joined("tvl1", &follow.unwrap_or_else(|| names(&[Domain::Frames])))
        }
    };
    match (chain.per_frame, clip) {
        (true, _) => format!("per_frame({links})"),
        (false, Clip::Video { .. }) => format!("consistent({links})"),
        (false, Clip::Audio { .. } | Clip::Text { .. } | Clip::Flow { .. }) => links,
    }
}

/// `first -> then`, where there is something then.
fn joined(first: &str, then: &str) -> String {
    if then.is_empty() {
        first.to_owned()
    } else {
        format!("{first} -> {then}")
    }
}

fn data(data: &Data) -> String {
    match data {
        Data::Synthetic(s) => format!(
            "synthetic({} clips of {}s, {} classes)",
            s.clips,
            s.length.decimal(),
            s.classes
        ),
        Data::Videos(files) | Data::Sounds(files) => files.name.clone(),
    }
}

/// A relaxation as the language writes it: `windows(within: overlap(50%, of: each), across: inside)`.
pub fn relaxation(relax: &Relaxation) -> String {
    let within = match &relax.within {
        Within::Same => "same".to_owned(),
        Within::Overlap { share, of } => {
            let percent = share.times(Exact::whole(100));
            let share = percent.map_or(share.to_string(), |percent| {
                format!("{}%", percent.decimal())
            });
            format!("overlap({share}, of: {})", of.as_deref().unwrap_or("each"))
        }
        Within::Halves => "halves".to_owned(),
        Within::OffsetMax => "offset(max)".to_owned(),
        Within::Independent => "independent".to_owned(),
    };
    let across = match relax.across {
        Across::Inside => "inside",
        Across::Start => "start",
        Across::Centre => "centre",
    };
    let same = relax
        .same
        .iter()
        .map(|modality| format!("{modality}: same, "));
    let same: String = same.collect();
    format!("windows(within: {within}, {same}across: {across})")
}

fn batch_norm(bn: BatchNorm) -> &'static str {
    match bn {
        BatchNorm::PerView => "bn per_view",
        BatchNorm::Joint => "bn joint",
    }
}

fn optimiser(optim: &Optimiser) -> String {
    match optim {
        Optimiser::Adam {
            betas: (first, second),
            wd,
        } => format!(
            "adam(betas: ({}, {}), wd: {})",
            first.decimal(),
            second.decimal(),
            wd.decimal()
        ),
        Optimiser::Sgd { mtm, wd } => format!("sgd(mtm: {}, wd: {})", mtm.decimal(), wd.decimal()),
        Optimiser::Larc { inner, trust } => {
            format!("larc({}, trust: {})", optimiser(inner), trust.decimal())
        }
    }
}

fn schedule(rate: &Schedule) -> String {
    match rate {
        Schedule::Constant(rate) => rate.decimal(),
        Schedule::Cosine { from, to, warmup } => {
            format!(
                "cosine({} -> {}, warmup: {}ep)",
                from.decimal(),
                to.decimal(),
                warmup.decimal()
            )
        }
        Schedule::Multistep {
            base,
            milestones,
            gamma,
        } => {
            let at: Vec<String> = milestones
                .iter()
                .map(|m| format!("{}ep", m.decimal()))
                .collect();
            format!(
                "multistep({}, ms: [{}], gamma: {})",
                base.decimal(),
                at.join(", "),
                gamma.decimal()
            )
        }
        Schedule::Late { first, of } => {
            format!("late({}, first: {})", schedule(of), first.decimal())
        }
    }
}

/// The loss as weights of pairs of views, `v1v2 1/6`, where it is nothing but symmetric pairs of equation 1.
pub fn pairs(loss: &Loss) -> Option<Vec<(String, Exact)>> {
    let mut directed: BTreeMap<(&Embedding, &Embedding), Exact> = BTreeMap::new();
    for (term, weight) in &loss.terms {
        let [first, second] = term.args.as_slice() else {
            return None;
        };
        let (predicted, target) = match (predicted(first), predicted(second)) {
            (Some(view), None) => (view, detached(second)?),
            (None, Some(view)) => (view, detached(first)?),
            (Some(_), Some(_)) | (None, None) => return None,
        };
        if term.op != TermOp::Cos {
            return None;
        }
        directed.insert((predicted, target), *weight);
    }
    let mut pairs = vec![];
    for ((x, y), weight) in &directed {
        let back = directed.get(&(*y, *x))?;
        if back != weight {
            return None;
        }
        // `pair` is -1/2 cos in each direction. The modality that comes first in the paper's names is `v`.
        let (x, y) = (x.view(), y.view());
        if pair_key(x) <= pair_key(y) {
            let is_cross = x.0 != y.0;
            let name = format!("{}{}{}{}", x.0, x.1, y.0, y.1);
            let key = (is_cross, Reverse(x.0), Reverse(y.0), x.1, y.1);
            pairs.push((key, (name, weight.times(Exact::whole(-2))?)));
        }
    }
    pairs.sort_by_key(|(key, _)| *key);
    Some(pairs.into_iter().map(|(_, pair)| pair).collect())
}

/// `v1` before `a1`, as the paper writes pairs; then by view.
fn pair_key((modality, view): (&str, u32)) -> (Reverse<&str>, u32) {
    (Reverse(modality), view)
}

/// `v[1]` of `p(v[1])`.
fn predicted(embedding: &Embedding) -> Option<&Embedding> {
    match embedding {
        Embedding::Apply(EmbeddingOp::Predict(_), inner) => encoded(inner),
        Embedding::Apply(..) | Embedding::View { .. } => None,
    }
}

/// `v[1]` of `sg(z(v[1]))`.
fn detached(embedding: &Embedding) -> Option<&Embedding> {
    match embedding {
        Embedding::Apply(EmbeddingOp::StopGradient, inner) => encoded(inner),
        Embedding::Apply(..) | Embedding::View { .. } => None,
    }
}

fn encoded(embedding: &Embedding) -> Option<&Embedding> {
    match embedding {
        Embedding::Apply(EmbeddingOp::Encode(_), inner) => match inner.as_ref() {
            view @ Embedding::View { .. } => Some(view),
            Embedding::Apply(..) => None,
        },
        Embedding::Apply(..) | Embedding::View { .. } => None,
    }
}

/// Rows with their columns aligned; empty cells at the end leave no spaces.
fn columns<const N: usize>(rows: Vec<[String; N]>) -> String {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths).filter(|(_, width)| **width > 0) {
            line += &format!("{cell:width$}  ");
        }
        out += "  ";
        out += line.trim_end();
        out += "\n";
    }
    out
}
