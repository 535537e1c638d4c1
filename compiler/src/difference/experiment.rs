//! Two pretrainings, protocols or stages, field by field.

use super::{Calls, Change, Experiment, Pairing, Stages, Weighed, links};
use crate::graph::{self, Node};
use crate::hir::{Chain, Data, Eval, Pretrain, Protocol};
use crate::loss::Loss;
use crate::passes;
use crate::plan::{self, Plan, Stage, StageId, Work};
use crate::units::Exact;
use crate::written;
use std::collections::BTreeMap;

/// How two pretrainings differ.
pub fn pretrains(left: &Pretrain, right: &Pretrain) -> Experiment {
    let fields = fields(left, right);
    let loss = weights(&left.loss, &right.loss);
    let is_changed = |part: &str| fields.iter().any(|change| part_of(&change.path) == part);
    let unchanged = PARTS.into_iter().filter(|part| !is_changed(part));
    Experiment {
        unchanged: unchanged.collect(),
        calls: [calls(left), calls(right)],
        pairing: pairing(left, right),
        fields,
        loss,
    }
}

/// How two rows differ: their pretrainings, and the epoch after which each is scored, `None` for the end.
pub fn states(left: (&Pretrain, Option<u32>), right: (&Pretrain, Option<u32>)) -> Experiment {
    let mut difference = pretrains(left.0, right.0);
    if left.1 != right.1 {
        let [of_left, of_right] = [left.1, right.1].map(written::checkpoint);
        let change = Change::new("checkpoint", Some(&of_left), Some(&of_right));
        difference.fields.push(change);
    }
    difference
}

/// The parts of an experiment beside its loss.
const PARTS: [&str; 5] = ["data", "sampler", "augmentations", "networks", "optimiser"];

fn part_of(path: &str) -> &'static str {
    let field = path.rsplit('.').next().unwrap_or(path);
    match field {
        "data" | "streams" => "data",
        "augment" => "augmentations",
        "f" | "h" | "bn" | "bn_group" => "networks",
        "bs" | "es" | "ep" | "optim" | "lr_b" | "lr_p" | "precision" => "optimiser",
        "seed" => "seed",
        _ => "sampler",
    }
}

/// The fields that differ, without the loss.
fn fields(left: &Pretrain, right: &Pretrain) -> Vec<Change> {
    let [of_left, of_right] = [left, right].map(written::pretrain);
    let chain = |of: &Pretrain, path: &str| -> Option<Chain> {
        let modality = of.modality(path.strip_suffix(".augment")?)?;
        Some(modality.augment.clone())
    };
    let mut changes = vec![];
    // The rates stand with each modality; a set is compared below.
    let is_said = |path: &str| {
        matches!(path, "loss" | "weights" | "lr_b" | "lr_p" | "data") || path.starts_with("data ")
    };
    for path in union(&of_left, &of_right) {
        if path == "modalities" {
            changes.extend(data(&left.data, &right.data));
        }
        let texts = [&of_left, &of_right].map(|fields| text(fields, path));
        if is_said(path) || texts[0] == texts[1] || follows_the_loss(path, left, right) {
            continue;
        }
        let mut change = Change::new(path, texts[0], texts[1]);
        if let (Some(of_left), Some(of_right)) = (chain(left, path), chain(right, path)) {
            change.links = links(&of_left, &of_right);
        }
        changes.push(change);
    }
    together(changes, left, right)
}

/// A predictor that one loss reads and the other does not: both files may set it, and the loss says the rest.
fn follows_the_loss(path: &str, left: &Pretrain, right: &Pretrain) -> bool {
    let Some(name) = path.strip_suffix(".h") else {
        return false;
    };
    match (left.modality(name), right.modality(name)) {
        (Some(left), Some(right)) => left.h.is_none() || right.h.is_none(),
        _ => false,
    }
}

/// One change of a rate instead of the same for each modality.
fn together(changes: Vec<Change>, left: &Pretrain, right: &Pretrain) -> Vec<Change> {
    let names: Vec<&str> = left.modalities.iter().map(|m| m.name.as_str()).collect();
    let is_alike = names
        .iter()
        .copied()
        .eq(right.modalities.iter().map(|m| m.name.as_str()));
    if names.len() < 2 || !is_alike {
        return changes;
    }
    let mut kept: Vec<Change> = vec![];
    for change in &changes {
        let field = change.path.rsplit('.').next().unwrap_or("");
        let all = |change: &Change| {
            names.iter().all(|name| {
                let path = format!("{name}.{field}");
                changes.iter().any(|other| {
                    other.path == path && other.left == change.left && other.right == change.right
                })
            })
        };
        if !matches!(field, "lr_b" | "lr_p") || !all(change) {
            kept.push(change.clone());
        } else if kept.iter().all(|known| known.path != field) {
            kept.push(Change {
                path: field.to_owned(),
                ..change.clone()
            });
        }
    }
    kept
}

/// Two data sets: by name where that differs, else by what is in them.
fn data(left: &Data, right: &Data) -> Vec<Change> {
    if left == right {
        return vec![];
    }
    let names = [left, right].map(written::data_name);
    let texts = [left, right].map(written::data);
    if names[0] != names[1] {
        return vec![Change::new("data", Some(names[0]), Some(names[1]))];
    }
    if texts[0] != texts[1] {
        let both = [0, 1].map(|side| format!("{} = {}", names[side], texts[side]));
        return vec![Change::new("data", Some(&both[0]), Some(&both[1]))];
    }
    // A rendered set has the streams that its place asks for, which no text of it says.
    let streams = [left, right].map(|data| format!("[{}]", data.requires().join(", ")));
    vec![Change::new(
        "data.streams",
        Some(&streams[0]),
        Some(&streams[1]),
    )]
}

/// The paths of both, in the order of the left.
fn union<'f>(left: &'f [(String, String)], right: &'f [(String, String)]) -> Vec<&'f str> {
    let mut paths: Vec<&str> = left.iter().map(|(path, _)| path.as_str()).collect();
    for (position, (path, _)) in right.iter().enumerate() {
        if !paths.contains(&path.as_str()) {
            // Behind the field that stands before it on its own side.
            let before = right[..position].last().map(|(path, _)| path.as_str());
            let at = paths.iter().position(|known| Some(*known) == before);
            paths.insert(at.map_or(paths.len(), |at| at + 1), path);
        }
    }
    paths
}

fn text<'f>(fields: &'f [(String, String)], path: &str) -> Option<&'f str> {
    let found = fields.iter().find(|(known, _)| known == path);
    found.map(|(_, text)| text.as_str())
}

/// The pairs whose weights differ; terms where one of the losses is no sum of pairs.
fn weights(left: &Loss, right: &Loss) -> Vec<Weighed> {
    let terms = |loss: &Loss| -> Vec<(String, Exact)> {
        let terms = loss.terms.iter();
        terms
            .map(|(term, weight)| (term.to_string(), *weight))
            .collect()
    };
    let [left, right] = match (graph::pairs(left), graph::pairs(right)) {
        (Some(left), Some(right)) => [left, right],
        _ => [left, right].map(terms),
    };
    let of_right: BTreeMap<&str, Exact> = right.iter().map(|(w, e)| (w.as_str(), *e)).collect();
    let mut found = vec![];
    for (what, weight) in &left {
        let other = of_right.get(what.as_str()).copied();
        if other != Some(*weight) {
            found.push(Weighed {
                what: what.clone(),
                left: Some(*weight),
                right: other,
            });
        }
    }
    let is_new = |what: &str| left.iter().all(|(known, _)| known != what);
    let new = right.iter().filter(|(what, _)| is_new(what));
    found.extend(new.map(|(what, weight)| Weighed {
        what: what.clone(),
        left: None,
        right: Some(*weight),
    }));
    found
}

/// The calls of one training step as the passes leave it.
fn calls(pretrain: &Pretrain) -> Calls {
    let (graph, _) = passes::build(pretrain);
    let mut calls = Calls {
        terms: pretrain.loss.terms.len(),
        ..Calls::default()
    };
    for id in graph.ids() {
        match graph.node(id) {
            Node::Encode { .. } => calls.encode += 1,
            Node::Predict { .. } => calls.predict += 1,
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
            | Node::Sum { .. } => {}
        }
    }
    calls
}

/// Random numbers are keyed by seed, sample, epoch and path, so that equal settings draw the same whatever else differs.
fn pairing(left: &Pretrain, right: &Pretrain) -> Pairing {
    let clips = |of: &Pretrain| -> Vec<_> {
        let modalities = of.modalities.iter();
        modalities
            .map(|m| (m.name.clone(), m.clip.clone()))
            .collect()
    };
    let chains =
        |of: &Pretrain| -> Vec<_> { of.modalities.iter().map(|m| m.augment.clone()).collect() };
    let differences = [
        ("seed", left.seed != right.seed),
        ("data", left.data != right.data),
        (
            "clips",
            clips(left) != clips(right) || left.views != right.views,
        ),
        ("windows", left.relax != right.relax),
        (
            "steps",
            (left.bs, left.es, left.ep) != (right.bs, right.es, right.ep),
        ),
    ];
    let apart: Vec<&str> = differences
        .into_iter()
        .filter_map(|(what, differs)| differs.then_some(what))
        .collect();
    match (apart.is_empty(), chains(left) == chains(right)) {
        (true, true) => Pairing::Paired,
        (true, false) => Pairing::SameClips,
        (false, _) => Pairing::Apart(apart),
    }
}

/// How two protocols differ.
pub fn protocols(left: &Protocol, right: &Protocol) -> Vec<Change> {
    let [of_left, of_right] = [left, right].map(written::protocol);
    let sets = (left.data(), right.data());
    let mut changes = match sets {
        (Some(left), Some(right)) => data(left, right),
        _ => vec![],
    };
    let chain = |of: &Protocol, path: &str| -> Option<Chain> {
        let eval = match path.strip_suffix("augment")? {
            "" => of.parts().first()?,
            part => of
                .parts()
                .iter()
                .find(|eval| format!("{}.", eval.uses) == part)?,
        };
        Some(eval.augment.clone())
    };
    for path in union(&of_left, &of_right) {
        let texts = [&of_left, &of_right].map(|fields| text(fields, path));
        let is_data = path == "data" || path.ends_with(".data");
        if is_data || texts[0] == texts[1] {
            continue;
        }
        let mut change = Change::new(path, texts[0], texts[1]);
        if let (Some(of_left), Some(of_right)) = (chain(left, path), chain(right, path)) {
            change.links = links(&of_left, &of_right);
        }
        changes.push(change);
    }
    // The spectrogram of a clip of sound is that of its modality, which no field of a protocol says.
    let clips = |of: &Protocol| -> Vec<_> {
        of.parts()
            .iter()
            .map(|eval| written::modality(&eval.clip))
            .collect()
    };
    if changes.is_empty() && left != right {
        let [left, right] = [left, right].map(|of| clips(of).join(", "));
        changes.push(Change::new("modality", Some(&left), Some(&right)));
    }
    changes
}

/// How fields differ that are compared as they are written, each with its path.
pub fn texts(left: &[(String, String)], right: &[(String, String)]) -> Vec<Change> {
    let both = |path| (text(left, path), text(right, path));
    let paths = union(left, right).into_iter();
    let changed = paths.filter(|path| both(path).0 != both(path).1);
    changed
        .map(|path| Change::new(path, both(path).0, both(path).1))
        .collect()
}

/// How two stages of one kind differ; `None` for two of different kinds.
pub fn stages(left: &Work, right: &Work) -> Option<Stages> {
    let short = |id: &StageId| id.short().to_owned();
    let end = |epoch: Option<u32>| written::checkpoint(epoch);
    let compared = |rows: Vec<(&str, String, String)>| -> Vec<Change> {
        let rows = rows.into_iter().filter(|(_, left, right)| left != right);
        rows.map(|(path, left, right)| Change::new(path, Some(&left), Some(&right)))
            .collect()
    };
    Some(match (left, right) {
        (Work::Pretrain(left), Work::Pretrain(right)) => {
            Stages::Pretrain(Box::new(pretrains(&left.settings, &right.settings)))
        }
        (Work::Extract(left), Work::Extract(right)) => {
            // The classifier is no part of an extraction.
            let mut changes = evals(&left.eval, &right.eval);
            let own = ["head", "score", "neighbours"];
            changes.retain(|change| !own.contains(&change.path.as_str()));
            changes.extend(compared(vec![
                ("model", short(&left.model), short(&right.model)),
                ("checkpoint", end(left.checkpoint), end(right.checkpoint)),
                ("seed", left.seed.to_string(), right.seed.to_string()),
            ]));
            Stages::Other(changes)
        }
        (Work::Finetune(left), Work::Finetune(right)) => {
            let mut changes = evals(&left.eval, &right.eval);
            changes.extend(compared(vec![
                ("model", short(&left.model), short(&right.model)),
                ("checkpoint", end(left.checkpoint), end(right.checkpoint)),
                ("seed", left.seed.to_string(), right.seed.to_string()),
            ]));
            Stages::Other(changes)
        }
        (Work::Score(left), Work::Score(right)) => {
            let features = |of: &plan::ScoreWork| -> String {
                let all = std::iter::once(&of.features).chain(&of.beside);
                all.map(StageId::short).collect::<Vec<_>>().join(" + ")
            };
            let [of_left, of_right] = [left, right].map(|of| written::classifier(&of.head));
            let mut changes: Vec<Change> = vec![];
            for path in union(&of_left, &of_right) {
                let texts = [&of_left, &of_right].map(|fields| text(fields, path));
                if texts[0] != texts[1] {
                    changes.push(Change::new(path, texts[0], texts[1]));
                }
            }
            changes.extend(compared(vec![
                (
                    "score",
                    written::score(left.score),
                    written::score(right.score),
                ),
                ("features", features(left), features(right)),
                ("seed", left.seed.to_string(), right.seed.to_string()),
            ]));
            Stages::Other(changes)
        }
        (Work::Draw(left), Work::Draw(right)) => {
            let text = |of: &plan::Draw| written::drawing(&of.drawing);
            Stages::Other(compared(vec![
                ("drawing", text(left), text(right)),
                ("from", short(&left.from), short(&right.from)),
                ("checkpoint", end(left.checkpoint), end(right.checkpoint)),
                ("seed", left.seed.to_string(), right.seed.to_string()),
            ]))
        }
        (
            Work::Pretrain(_)
            | Work::Extract(_)
            | Work::Finetune(_)
            | Work::Score(_)
            | Work::Draw(_),
            _,
        ) => return None,
    })
}

fn evals(left: &Eval, right: &Eval) -> Vec<Change> {
    let [left, right] = [left, right].map(|eval| Protocol::Single(Box::new(eval.clone())));
    protocols(&left, &right)
}

/// The stage of `plan` that differs from `work` in the fewest places, and how; `None` where it has none of that kind.
pub fn nearest<'p>(work: &Work, plan: &'p Plan) -> Option<(&'p Stage, Stages)> {
    let compared = plan.stages.iter();
    let compared = compared.filter_map(|stage| Some((stage, stages(work, &stage.work)?)));
    compared.min_by_key(|(_, difference)| difference.count())
}
