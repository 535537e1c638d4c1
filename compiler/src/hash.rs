//! Content hashes of stages: equal meaning, equal hash.
//!
//! A hash covers the closed settings, the ids of the stages that are needed, and the version of each operator used. Names of
//! declarations, labels, comments, order of the file and units as written are not in the settings and so not in the hash.

use crate::hir::{
    Chain, Clip, Data, Eval, FeatureStep, Head, Layer, Link, Network, Optimiser, Pretrain,
    Schedule, Score,
};
use crate::loss::{Embedding, EmbeddingOp, TermOp};
use crate::plan::StageId;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The version of each operator. A change of what an operator computes raises its number, and with it the hash of the stages
/// that use it and of no others.
const OPERATORS: [(&str, u32); 45] = [
    // Data.
    ("synthetic", 1),
    ("decode", 1),
    ("sample", 1),
    ("logmel", 1),
    // Augmentations, by their short names.
    ("MSC", 1),
    ("HF", 1),
    ("CJ", 1),
    ("GS", 1),
    ("GB", 1),
    ("C", 1),
    ("VJ", 1),
    ("TM", 1),
    ("FM", 1),
    ("RC", 1),
    ("TW", 1),
    // Networks.
    ("r2plus1d", 1),
    ("resnet", 1),
    ("fc", 1),
    ("bn", 1),
    ("relu", 1),
    ("l2", 1),
    // Losses.
    ("sg", 1),
    ("scale", 1),
    ("linear", 1),
    ("sinkhorn", 1),
    ("ema", 1),
    ("memory", 1),
    ("cos", 1),
    ("mse", 1),
    ("dot", 1),
    ("xent", 1),
    ("info_nce", 1),
    ("hinge_std", 1),
    ("cov", 1),
    // Training.
    ("constant", 1),
    ("cosine", 1),
    ("multistep", 1),
    ("adam", 1),
    ("sgd", 1),
    ("larc", 1),
    // Evaluation.
    ("extract", 1),
    ("maxpool", 1),
    ("mean_clips", 1),
    ("svm", 1),
    ("top1", 1),
];

/// The id of a pretraining.
pub fn pretrain(settings: &Pretrain) -> StageId {
    stage(
        "pretrain",
        json_of(settings),
        &[],
        &pretrain_operators(settings),
    )
}

/// The id of an extraction by the backbone of `model`. Evaluations that differ in head and score alone share it.
pub fn extract(model: &StageId, eval: &Eval, seed: u64) -> StageId {
    let mut settings = json_of(eval);
    if let Value::Object(fields) = &mut settings {
        fields.remove("head");
        fields.remove("score");
    }
    stage(
        "extract",
        json!({ "eval": settings, "seed": seed }),
        &[model],
        &extract_operators(eval),
    )
}

/// The id of a score on `features`.
pub fn score(features: &StageId, head: &Head, score: Score, seed: u64) -> StageId {
    let Head::Svm { .. } = head;
    let Score::Top1 = score;
    let settings = json!({ "head": json_of(head), "score": json_of(&score), "seed": seed });
    stage(
        "score",
        settings,
        &[features],
        &BTreeSet::from(["svm", "top1"]),
    )
}

/// blake3 over the canonical JSON of everything that the outcome of a stage depends on.
fn stage(kind: &str, settings: Value, needs: &[&StageId], operators: &BTreeSet<&str>) -> StageId {
    let versions: BTreeMap<&str, u32> = operators
        .iter()
        .map(|name| (*name, version(name)))
        .collect();
    let whole =
        json!({ "kind": kind, "settings": settings, "needs": needs, "operators": versions });
    StageId(
        blake3::hash(canonical(&whole).as_bytes())
            .to_hex()
            .to_string(),
    )
}

fn version(operator: &str) -> u32 {
    let found = OPERATORS.iter().find(|(name, _)| *name == operator);
    found.expect("hash: every operator has a version").1
}

fn json_of<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("hash: settings are plain data")
}

/// JSON with sorted keys and no blanks, whatever order the map type keeps.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<&String, &Value> = fields.iter().collect();
            let fields: Vec<String> = sorted
                .iter()
                .map(|(key, value)| format!("{}:{}", text(key), canonical(value)))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => format!(
            "[{}]",
            items.iter().map(canonical).collect::<Vec<_>>().join(",")
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

fn text(key: &str) -> String {
    Value::from(key).to_string()
}

/// What a pretraining computes with.
fn pretrain_operators(settings: &Pretrain) -> BTreeSet<&'static str> {
    let mut used = BTreeSet::from(["sample", optimiser(&settings.optim)]);
    if let Optimiser::Larc { inner, .. } = &settings.optim {
        used.insert(optimiser(inner));
    }
    data(&settings.data, &mut used);
    for m in &settings.modalities {
        clip(&m.clip, &mut used);
        chain(&m.augment, &mut used);
        network(&m.f, &mut used);
        m.h.iter().for_each(|h| network(h, &mut used));
        used.extend([schedule(&m.lr_b), schedule(&m.lr_p)]);
    }
    for (term, _) in &settings.loss.terms {
        used.insert(match term.op {
            TermOp::Cos => "cos",
            TermOp::Mse => "mse",
            TermOp::Dot => "dot",
            TermOp::Xent => "xent",
            TermOp::InfoNce { .. } => "info_nce",
            TermOp::HingeStd => "hinge_std",
            TermOp::Cov => "cov",
        });
        term.args.iter().for_each(|arg| embedding(arg, &mut used));
    }
    used
}

/// What an extraction computes with, beside the networks of the pretraining that it needs.
fn extract_operators(eval: &Eval) -> BTreeSet<&'static str> {
    let mut used = BTreeSet::from(["extract"]);
    data(&eval.data, &mut used);
    clip(&eval.clip, &mut used);
    chain(&eval.augment, &mut used);
    used.extend(eval.features.iter().map(|step| match step {
        FeatureStep::MaxPool { .. } => "maxpool",
        FeatureStep::L2 => "l2",
        FeatureStep::Bn => "bn",
        FeatureStep::MeanClips => "mean_clips",
    }));
    used
}

fn data(data: &Data, used: &mut BTreeSet<&'static str>) {
    used.insert(match data {
        Data::Synthetic(_) => "synthetic",
        Data::Videos(_) | Data::Sounds(_) => "decode",
    });
}

fn clip(clip: &Clip, used: &mut BTreeSet<&'static str>) {
    match clip {
        Clip::Video { .. } => {}
        Clip::Audio { .. } => {
            used.insert("logmel");
        }
    }
}

fn chain(chain: &Chain, used: &mut BTreeSet<&'static str>) {
    used.extend(chain.links.iter().map(Link::short));
}

fn network(network: &Network, used: &mut BTreeSet<&'static str>) {
    used.extend(network.layers.iter().map(|layer| match layer {
        Layer::R2plus1d { .. } => "r2plus1d",
        Layer::Resnet { .. } => "resnet",
        Layer::Fc { .. } => "fc",
        Layer::Bn => "bn",
        Layer::Relu => "relu",
        Layer::L2 => "l2",
    }));
}

fn embedding(of: &Embedding, used: &mut BTreeSet<&'static str>) {
    let Embedding::Apply(op, inner) = of else {
        return;
    };
    embedding(inner, used);
    match op {
        EmbeddingOp::Encode(_) | EmbeddingOp::Predict(_) => {}
        EmbeddingOp::StopGradient => {
            used.insert("sg");
        }
        EmbeddingOp::L2 => {
            used.insert("l2");
        }
        EmbeddingOp::Scale(_) => {
            used.insert("scale");
        }
        EmbeddingOp::Linear(_) => {
            used.insert("linear");
        }
        EmbeddingOp::Sinkhorn { .. } => {
            used.insert("sinkhorn");
        }
        EmbeddingOp::Ema { .. } => {
            used.insert("ema");
        }
        EmbeddingOp::Memory { .. } => {
            used.insert("memory");
        }
    }
}

fn schedule(rate: &Schedule) -> &'static str {
    match rate {
        Schedule::Constant(_) => "constant",
        Schedule::Cosine { .. } => "cosine",
        Schedule::Multistep { .. } => "multistep",
    }
}

fn optimiser(optim: &Optimiser) -> &'static str {
    match optim {
        Optimiser::Adam { .. } => "adam",
        Optimiser::Sgd { .. } => "sgd",
        Optimiser::Larc { .. } => "larc",
    }
}
