//! The graph as text: one line for each node, stable, so that a person can review it and a snapshot can keep it.

use super::shapes::{Domain, domain, is_batched, network, shape};
use super::{Graph, Id, Node};
use crate::columns;
use crate::hir::{
    Across, BatchNorm, Clip, Data, FlowMethod, Layer, Modality, Network, Optimiser, Pretrain,
    Relaxation, Schedule, Within, Words,
};
use crate::loss::{Embedding, EmbeddingOp, Loss, Scope, TermOp};
use crate::passes::{Why, build};
use crate::units::Exact;
use crate::written;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The training step of `pretrain` as the default passes leave it, a line for each node and one for each parameter group.
pub fn text(pretrain: &Pretrain, name: &str) -> String {
    let (graph, log) = build(pretrain);
    text_of((&graph, &log), pretrain, name)
}

/// [`text`] of any graph of `pretrain`, with what the passes did to make it.
pub fn text_of((graph, log): (&Graph, &[Why]), pretrain: &Pretrain, name: &str) -> String {
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
    out += &nodes(graph, pretrain);
    out += "\n";
    out += &columns(&groups(graph, pretrain), 2);
    let (bn, per_epoch) = (batch_norm(pretrain), pretrain.steps_per_epoch());
    let optimiser = optimiser(&pretrain.optim);
    out += &format!(
        "\n  optimise  {optimiser}, {} epochs of {per_epoch} steps, bs {}, {bn}\n",
        pretrain.ep, pretrain.bs
    );
    for why in log.iter().filter(|why| !why.done.is_empty()) {
        out += &format!("  {}  {}\n", why.pass.name(), why.done);
    }
    out
}

/// The nodes alone, a line for each, and one for each view with its whole chain.
pub fn nodes(graph: &Graph, pretrain: &Pretrain) -> String {
    columns(&lines(graph, pretrain), 2)
}

/// The training step of `pretrain` as JSON: `{"name": ..., "steps": [...]}`. A step has its name, its node, the names of its
/// inputs, what it makes (`domain`, `shape`), `place`, which is `host` or `device`, and for each input whether a `gradient`
/// flows back to it; `scope` is `batch` where all samples are compared.
pub fn json(pretrain: &Pretrain, name: &str) -> String {
    json_of(&build(pretrain).0, pretrain, name)
}

/// [`json`] of any graph of `pretrain`.
pub fn json_of(graph: &Graph, pretrain: &Pretrain, name: &str) -> String {
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
        gradient: Vec<bool>,
        domain: Domain,
        place: &'static str,
        shape: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        scope: Option<&'static str>,
    }
    let names = graph.names();
    let step = |id: Id| {
        let edges = graph.edges(id);
        PrintedStep {
            name: names[&id].clone(),
            node: graph.node(id).clone(),
            inputs: edges
                .iter()
                .map(|(_, input)| names[input].clone())
                .collect(),
            gradient: edges.iter().map(|(edge, _)| edge.gradient).collect(),
            domain: domain(graph, pretrain, id),
            place: if is_batched(graph, id) {
                "device"
            } else {
                "host"
            },
            shape: shape(graph, pretrain, id).map(|shape| shape.to_string()),
            scope: (graph.node(id).scope() == Scope::Batch).then_some("batch"),
        }
    };
    let printed = Printed {
        name,
        steps: graph.topological().into_iter().map(step).collect(),
    };
    serde_json::to_string_pretty(&printed).expect("graphs are plain data")
}

/// `%z.v1 = v.f %v1`, the type, and a remark, for each node; a view's slice and chain on one line; below cosines each of them.
fn lines(graph: &Graph, pretrain: &Pretrain) -> Vec<[String; 4]> {
    let names = graph.names();
    let weights = term_weights(graph);
    let type_of =
        |id: Id| shape(graph, pretrain, id).map_or(String::new(), |shape| shape.to_string());
    let mut lines = vec![];
    for id in graph.topological() {
        let node = graph.node(id);
        // A slice and the steps of a chain are on the line of the chain's end.
        if node.view().is_some() && !graph.ends_chain(id) {
            continue;
        }
        let inputs = graph.inputs(id);
        let operands = |ids: &[Id]| {
            let named = ids.iter().map(|input| format!("%{}", names[input]));
            named.collect::<Vec<_>>().join(" ")
        };
        let (operation, remark) = describe(node, pretrain);
        let (call, remark) = match node {
            Node::Augment { .. } | Node::Convert { .. } | Node::Batch { .. } => {
                let whole = graph.chain(id);
                let slice = graph.node(whole[0]);
                let from = operands(&graph.inputs(whole[0]));
                let chain = chain(graph, &whole[1..], pretrain);
                (
                    format!("{} {from} -> {chain}", describe(slice, pretrain).0),
                    remark,
                )
            }
            Node::Sum { weights } => {
                let total = weights
                    .iter()
                    .try_fold(Exact::whole(0), |sum, weight| sum.plus(*weight));
                let total = total.map_or(String::new(), |total| format!("total weight {total}"));
                if graph.is_objective(id) && !inputs.iter().any(|i| is_sum(graph.node(*i))) {
                    (format!("{operation} {} terms", weights.len()), total)
                } else {
                    let addends = weights.iter().zip(&inputs);
                    let addends =
                        addends.map(|(weight, input)| format!("{weight} %{}", names[input]));
                    let addends: Vec<String> = addends.collect();
                    (
                        format!("{operation} {}", addends.join(" + ")),
                        String::new(),
                    )
                }
            }
            Node::Term { .. } => {
                let weight = weights.get(&id);
                let weight = weight.map_or(String::new(), |weight| format!("weight {weight}"));
                (format!("{operation} {}", operands(&inputs)), weight)
            }
            Node::Cosines { firsts, .. } => {
                let (firsts, seconds) = inputs.split_at(*firsts as usize);
                (
                    format!("{operation} {} | {}", operands(firsts), operands(seconds)),
                    remark,
                )
            }
            Node::Encode { .. } | Node::Predict { .. } if inputs.len() > 1 => (
                format!("{operation} {}", operands(&inputs)),
                format!("one call, {}", batch_norm(pretrain)),
            ),
            Node::Source
            | Node::Sample
            | Node::Decode { .. }
            | Node::Slice { .. }
            | Node::Encode { .. }
            | Node::Predict { .. }
            | Node::Part { .. }
            | Node::StopGradient
            | Node::L2
            | Node::Scale { .. }
            | Node::Operator { .. } => (format!("{operation} {}", operands(&inputs)), remark),
        };
        let remark = match (node.scope(), remark.as_str()) {
            (Scope::Sample, _) => remark,
            (Scope::Batch, "") => "over the batch".to_owned(),
            (Scope::Batch, _) => format!("{remark}, over the batch"),
        };
        let name = &names[&id];
        lines.push([
            format!("%{name}"),
            format!("= {}", call.trim_end()),
            type_of(id),
            remark,
        ]);
        if let Node::Cosines { firsts, pairs } = node {
            let weights = cosine_weights(graph, id);
            for ((row, column), weight) in pairs.iter().zip(weights) {
                let (x, y) = (inputs[*row as usize], inputs[(firsts + column) as usize]);
                lines.push([
                    format!("%cos({},{})", names[&x], names[&y]),
                    format!("= %{name}[{}, {}]", row + 1, column + 1),
                    String::new(),
                    format!("weight {weight}"),
                ]);
            }
        }
    }
    lines
}

fn is_sum(node: &Node) -> bool {
    matches!(node, Node::Sum { .. })
}

/// The weights of the entries of cosines in the objective.
fn cosine_weights(graph: &Graph, cosines: Id) -> Vec<Exact> {
    for reader in graph.readers(cosines) {
        let Node::Sum { weights } = graph.node(reader) else {
            continue;
        };
        let mut rest = &weights[..];
        for input in graph.inputs(reader) {
            let (own, others) = rest.split_at(rest.len().min(graph.addends(input)));
            if input == cosines {
                return own.to_vec();
            }
            rest = others;
        }
    }
    vec![]
}

/// The steps of a chain behind its slice: `consistent(MSC-HF) -> batch`, or for sound that has moved
/// `batch -> VJ -> logmel 80x200 -> FM-TM-RC`.
fn chain(graph: &Graph, steps: &[Id], pretrain: &Pretrain) -> String {
    let mut parts: Vec<String> = vec![];
    let mut run: Vec<&str> = vec![];
    parts.extend(
        steps
            .first()
            .and_then(|id| stream(graph.node(*id), pretrain)),
    );
    for id in steps {
        let node = graph.node(*id);
        if let Node::Augment { name, .. } = node {
            run.push(name);
            continue;
        }
        parts.extend(links(&mut run, node, pretrain));
        if let Node::Batch { .. } = node {
            parts.push("batch".to_owned());
        } else if let Some(word) = conversion(node, pretrain, parts.is_empty()) {
            parts.push(word);
        }
    }
    if let Some(last) = steps.last() {
        parts.extend(links(&mut run, graph.node(*last), pretrain));
    }
    parts.join(" -> ")
}

/// The stream that the words of a view come from.
fn stream(of: &Node, pretrain: &Pretrain) -> Option<String> {
    let (modality, _) = of.view()?;
    match pretrain.modality(modality)?.clip {
        Clip::Text {
            from: Words::Captions,
            ..
        } => Some("captions".to_owned()),
        Clip::Video { .. } | Clip::Audio { .. } | Clip::Flow { .. } => None,
    }
}

/// Links that follow each other, as one word: `consistent(HF-GS)` for frames, `FM-TM` for sound.
fn links(run: &mut Vec<&str>, of: &Node, pretrain: &Pretrain) -> Option<String> {
    let (modality, _) = of.view()?;
    let m = pretrain.modality(modality)?;
    let word = std::mem::take(run).join("-");
    if word.is_empty() {
        return None;
    }
    Some(match (m.augment.per_frame, &m.clip) {
        (true, _) => format!("per_frame({word})"),
        (false, Clip::Video { .. }) => format!("consistent({word})"),
        (false, Clip::Audio { .. } | Clip::Text { .. }) => word,
        (false, Clip::Flow { .. }) => match m.augment.follows() {
            Some(view) => format!("follow({view})"),
            None => word,
        },
    })
}

/// What a conversion is called where it is worth a word: `logmel 80x200`, and `convert` for frames without links.
fn conversion(node: &Node, pretrain: &Pretrain, is_alone: bool) -> Option<String> {
    let (modality, _) = node.view()?;
    match &pretrain.modality(modality)?.clip {
        Clip::Video { .. } => is_alone.then(|| "convert".to_owned()),
        Clip::Text { .. } => None,
        Clip::Flow {
            method: FlowMethod::Tvl1,
            ..
        } => Some("tvl1".to_owned()),
        Clip::Audio { samples, mel, .. } => {
            Some(format!("logmel {}x{}", mel.bands, mel.columns(*samples)))
        }
    }
}

/// The weight of each term that the objective itself adds.
fn term_weights(graph: &Graph) -> BTreeMap<Id, Exact> {
    let mut found = BTreeMap::new();
    for id in graph.ids().filter(|id| graph.is_objective(*id)) {
        if let Node::Sum { weights } = graph.node(id) {
            let mut rest = weights.iter();
            for input in graph.inputs(id) {
                let own: Vec<&Exact> = rest.by_ref().take(graph.addends(input)).collect();
                if let (Node::Term { .. }, [weight]) = (graph.node(input), &own[..]) {
                    // Terms that became the same node stand in the sum several times.
                    let total: &mut Exact = found.entry(input).or_insert(Exact::whole(0));
                    *total = total
                        .plus(**weight)
                        .expect("print: weights stay within their bounds");
                }
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
        Node::Augment {
            modality,
            view,
            name,
            ..
        } => (name.clone(), draws(pretrain, modality, *view)),
        Node::Convert { modality, view } => (
            conversion(node, pretrain, true).unwrap_or_default(),
            draws(pretrain, modality, *view),
        ),
        Node::Batch { modality, view } => ("batch".to_owned(), draws(pretrain, modality, *view)),
        Node::Encode { group } | Node::Predict { group } => (group.clone(), String::new()),
        Node::Part { part } => (format!("part {part}"), String::new()),
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
        Node::Term { term } => (term.name().to_owned(), String::new()),
        Node::Cosines { pairs, .. } => ("cosines".to_owned(), format!("{} pairs", pairs.len())),
        Node::Sum { .. } => ("sum".to_owned(), String::new()),
    }
}

/// Where the random numbers of a view are: what follows another view draws nothing itself.
fn draws(pretrain: &Pretrain, modality: &str, view: u32) -> String {
    let m = pretrain.modality(modality);
    let draws = m.and_then(|m| m.augment.follows()).unwrap_or(modality);
    format!("rng {draws}/{view}")
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
        Within::Offset(by) => format!("offset({}s)", by.decimal()),
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

fn batch_norm(of: &Pretrain) -> String {
    let bn = match of.bn {
        BatchNorm::PerView => "bn per_view",
        BatchNorm::Joint => "bn joint",
    };
    let group = of.bn_group.map(|group| format!(" in groups of {group}"));
    bn.to_owned() + &group.unwrap_or_default()
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
