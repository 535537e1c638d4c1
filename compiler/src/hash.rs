//! Content hashes of stages: equal meaning, equal hash.
//!
//! A hash covers the closed settings, the ids of the stages that are needed, and the version of each operator used. Names of
//! declarations, labels, comments, order of the file and units as written are not in the settings and so not in the hash.

pub(crate) mod canonical;

use crate::hir::{
    Chain, Clip, Data, Drawing, Eval, FeatureStep, FlowMethod, Head, Layer, Link, Network,
    Optimiser, Pretrain, Projection, Sampled, Schedule, Score, Words,
};
use crate::loss::{Embedding, EmbeddingOp, TermOp};
use crate::plan::StageId;
use std::collections::{BTreeMap, BTreeSet};

/// The version of each operator. A change of what an operator computes raises its number, and with it the hash of the stages
/// that use it and of no others.
const OPERATORS: [(&str, u32); 62] = [
    // Data.
    ("synthetic", 1),
    ("decode", 1),
    ("sample", 1),
    ("logmel", 1),
    ("captions", 1),
    ("tvl1", 1),
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
    ("DW", 1),
    ("follow", 1),
    // Networks.
    ("r2plus1d", 1),
    ("resnet", 1),
    ("bag_of_words", 1),
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
    ("late", 1),
    ("adam", 1),
    ("sgd", 1),
    ("larc", 1),
    // Evaluation.
    ("extract", 1),
    ("maxpool", 1),
    ("mean_clips", 1),
    ("svm", 2),
    ("linear_head", 1),
    ("knn", 1),
    ("finetune", 1),
    ("top1", 1),
    ("top5", 1),
    ("recall", 1),
    ("fuse", 1),
    // Figures.
    ("tsne", 2),
    ("pca", 2),
    ("gradcam", 1),
    ("smoothgradcampp", 1),
    ("gallery", 1),
];

/// The id of a pretraining.
pub fn pretrain(settings: &Pretrain) -> StageId {
    stage(
        "pretrain",
        &canonical::text(settings, &[]),
        &[],
        &pretrain_operators(settings),
    )
}

/// The id of an extraction by the backbone of `model` after the epoch `checkpoint`, or at its end. Evaluations that differ in
/// head and score alone share it.
pub fn extract(model: &StageId, checkpoint: Option<u32>, eval: &Eval, seed: u64) -> StageId {
    let eval_text = canonical::text(eval, &["head", "score"]);
    let state = of_state(checkpoint);
    stage(
        "extract",
        &format!("{{{state}\"eval\":{eval_text},\"seed\":{seed}}}"),
        &[model],
        &extract_operators(eval),
    )
}

/// The id of a finetuning of the backbone of `model` after the epoch `checkpoint`, or at its end.
pub fn finetune(model: &StageId, checkpoint: Option<u32>, eval: &Eval, seed: u64) -> StageId {
    let mut used = extract_operators(eval);
    used.remove("extract");
    used.extend([head_operator(&eval.head), score_operator(eval.score)]);
    if let Head::Finetune(recipe) = &eval.head {
        schedule(&recipe.lr, &mut used);
        used.insert(optimiser(&recipe.optim));
    }
    let eval = canonical::text(eval, &[]);
    let state = of_state(checkpoint);
    let settings = format!("{{{state}\"eval\":{eval},\"seed\":{seed}}}");
    stage("finetune", &settings, &[model], &used)
}

/// The id of a panel that shows the stage `from` after the epoch `checkpoint`, or at its end.
pub fn draw(from: &StageId, checkpoint: Option<u32>, drawing: &Drawing, seed: u64) -> StageId {
    let mut used = BTreeSet::new();
    let sampled = |of: &Sampled, used: &mut BTreeSet<&'static str>| {
        data(&of.data, used);
        clip(&of.clip, used);
    };
    let drawn = match drawing {
        Drawing::Embedding(embedded) => {
            sampled(&embedded.of, &mut used);
            used.extend(embedded.features.iter().map(feature_operator));
            used.insert(match embedded.by {
                Projection::Tsne { .. } => "tsne",
                Projection::Pca => "pca",
            });
            canonical::text(drawing, &[])
        }
        Drawing::Saliency(saliency) => {
            sampled(&saliency.of, &mut used);
            used.insert(match saliency.smooth {
                Some(_) => "smoothgradcampp",
                None => "gradcam",
            });
            canonical::text(drawing, &[])
        }
        // What is searched is the extraction that it reads.
        Drawing::Gallery(gallery) => {
            used.extend(["knn", "gallery"]);
            canonical::text(gallery.as_ref(), &["eval"])
        }
    };
    let state = of_state(checkpoint);
    let settings = format!("{{{state}\"drawing\":{drawn},\"seed\":{seed}}}");
    stage("draw", &settings, &[from], &used)
}

/// The id of a score on `features`, of which several are fused.
pub fn score(features: &[&StageId], head: &Head, score: Score, seed: u64) -> StageId {
    let mut used = BTreeSet::from([head_operator(head), score_operator(score)]);
    if let Head::Linear(recipe) = head {
        schedule(&recipe.lr, &mut used);
        used.extend(recipe.optim.as_ref().map(optimiser));
    }
    if features.len() > 1 {
        used.insert("fuse");
    }
    let head = canonical::text(head, &[]);
    let score = canonical::text(&score, &[]);
    let settings = format!("{{\"head\":{head},\"score\":{score},\"seed\":{seed}}}");
    stage("score", &settings, features, &used)
}

/// The field of a state of a training, before all others of its settings in their order. The end has none, so that a state that is
/// not asked for changes nothing.
fn of_state(checkpoint: Option<u32>) -> String {
    checkpoint.map_or(String::new(), |epoch| format!("\"checkpoint\":{epoch},"))
}

fn head_operator(head: &Head) -> &'static str {
    match head {
        Head::Svm { .. } => "svm",
        Head::Linear(_) => "linear_head",
        Head::Neighbours => "knn",
        Head::Finetune(_) => "finetune",
    }
}

fn score_operator(score: Score) -> &'static str {
    match score {
        Score::Top1 => "top1",
        Score::Top5 => "top5",
        Score::Recall(_) => "recall",
    }
}

/// blake3 over the canonical JSON of everything that the outcome of a stage depends on: `settings` is such a text already.
fn stage(kind: &str, settings: &str, needs: &[&StageId], operators: &BTreeSet<&str>) -> StageId {
    let versions: BTreeMap<&str, u32> = operators
        .iter()
        .map(|name| (*name, version(name)))
        .collect();
    let mut whole = format!("{{\"kind\":\"{kind}\",\"needs\":");
    canonical::write(&mut whole, needs, &[]);
    whole.push_str(",\"operators\":");
    canonical::write(&mut whole, &versions, &[]);
    whole.push_str(",\"settings\":");
    whole.push_str(settings);
    whole.push('}');
    StageId(blake3::hash(whole.as_bytes()).to_hex().to_string())
}

fn version(operator: &str) -> u32 {
    let found = OPERATORS.iter().find(|(name, _)| *name == operator);
    found.expect("hash: every operator has a version").1
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
        schedule(&m.lr_b, &mut used);
        schedule(&m.lr_p, &mut used);
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
    used.extend(eval.features.iter().map(feature_operator));
    used
}

fn feature_operator(step: &FeatureStep) -> &'static str {
    match step {
        FeatureStep::MaxPool { .. } => "maxpool",
        FeatureStep::L2 | FeatureStep::L2Vector => "l2",
        FeatureStep::Bn => "bn",
        FeatureStep::MeanClips => "mean_clips",
    }
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
        Clip::Text { from, .. } => {
            used.insert(match from {
                Words::Captions => "captions",
            });
        }
        Clip::Flow { method, .. } => {
            used.insert(match method {
                FlowMethod::Tvl1 => "tvl1",
            });
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
        Layer::BagOfWords { .. } => "bag_of_words",
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

fn schedule(rate: &Schedule, used: &mut BTreeSet<&'static str>) {
    let operator = match rate {
        Schedule::Constant(_) => "constant",
        Schedule::Cosine { .. } => "cosine",
        Schedule::Multistep { .. } => "multistep",
        Schedule::Late { of, .. } => {
            schedule(of, used);
            "late"
        }
    };
    used.insert(operator);
}

fn optimiser(optim: &Optimiser) -> &'static str {
    match optim {
        Optimiser::Adam { .. } => "adam",
        Optimiser::Sgd { .. } => "sgd",
        Optimiser::Larc { .. } => "larc",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{ALL, cos, crisscross, encoded, pairs, predicted, sg, weighted};
    use crate::hir::{Choose, Clips, FeatureStep, Part, Saliency, Smooth, Target};
    use crate::units::Exact;
    use serde::Serialize;
    use serde_json::Value;

    fn json_of<T: Serialize>(value: &T) -> Value {
        serde_json::to_value(value).unwrap()
    }

    /// JSON with sorted keys and no blanks, through the tree of values.
    fn sorted(value: &Value) -> String {
        match value {
            Value::Object(fields) => {
                let sorted: BTreeMap<&String, &Value> = fields.iter().collect();
                let fields: Vec<String> = sorted
                    .iter()
                    .map(|(key, value)| {
                        format!("{}:{}", Value::from(key.as_str()), self::sorted(value))
                    })
                    .collect();
                format!("{{{}}}", fields.join(","))
            }
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(sorted).collect();
                format!("[{}]", items.join(","))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
        }
    }

    /// The text in one go is that of the tree, for all forms that a value may have.
    #[test]
    fn canonical_text_is_that_of_the_sorted_tree() {
        #[derive(Serialize)]
        enum Form {
            Unit,
            One(u8),
            Two(i64, f64),
            Named { z: char, a: Option<&'static str> },
        }
        #[derive(Serialize)]
        struct All {
            z: Vec<Form>,
            b: BTreeMap<&'static str, (bool, ())>,
            #[serde(rename = "a \"quoted\" \u{e9} key")]
            c: &'static str,
            a: [f64; 2],
        }
        let all = All {
            z: vec![
                Form::Unit,
                Form::One(3),
                Form::Two(-4, 0.1),
                Form::Named { z: '"', a: None },
                Form::Named {
                    z: '\u{1}',
                    a: Some("back\\slash\n\u{1f3b5}"),
                },
            ],
            b: BTreeMap::from([("y", (true, ())), ("b c", (false, ())), ("b", (true, ()))]),
            c: "",
            a: [1.0, 1e30],
        };
        assert_eq!(canonical::text(&all, &[]), sorted(&json_of(&all)));
        let settings = crisscross(pairs(&ALL));
        assert_eq!(canonical::text(&settings, &[]), sorted(&json_of(&settings)));
        let mut without = json_of(&settings);
        without.as_object_mut().unwrap().remove("loss");
        assert_eq!(canonical::text(&settings, &["loss"]), sorted(&without));
    }

    /// Every scalar in `value`, each with one other value, one at a time.
    fn changed(value: &Value, made: &mut dyn FnMut(Value)) {
        match value {
            Value::Object(fields) => {
                for (key, inner) in fields {
                    changed(inner, &mut |new| {
                        let mut fields = fields.clone();
                        fields.insert(key.clone(), new);
                        made(Value::Object(fields));
                    });
                }
            }
            Value::Array(items) => {
                for (i, inner) in items.iter().enumerate() {
                    changed(inner, &mut |new| {
                        let mut items = items.clone();
                        items[i] = new;
                        made(Value::Array(items));
                    });
                }
            }
            Value::Bool(b) => made(Value::from(!b)),
            Value::Number(n) => made(Value::from(n.as_u64().unwrap() + 1)),
            Value::String(text) => {
                let rational = text.parse::<num_rational::Ratio<i128>>();
                made(rational.map_or(Value::from(format!("{text}x")), |r| {
                    Value::from((r + 1).to_string())
                }));
            }
            Value::Null => {}
        }
    }

    #[test]
    fn every_field_changes_the_hash() {
        let settings = crisscross(pairs(&ALL));
        let mut seen = BTreeSet::from([pretrain(&settings)]);
        let mut fields = 0;
        changed(&json_of(&settings), &mut |value| {
            // Names of variants are no fields; what does not read back is one of them.
            if let Ok(other) = serde_json::from_value::<Pretrain>(value.clone()) {
                fields += 1;
                assert!(
                    seen.insert(pretrain(&other)),
                    "the same hash after a change: {value}"
                );
            }
        });
        assert!(fields > 80, "{fields} fields were changed");
    }

    #[test]
    fn units_order_and_spelling_do_not_change_the_hash() {
        let one = crisscross(pairs(&ALL));
        let reversed: Vec<&str> = ALL.iter().rev().copied().collect();
        assert_eq!(pretrain(&one), pretrain(&crisscross(pairs(&reversed))));
        // `cos` is symmetric, and 2/12 is 1/6.
        let term = |x: &str, y: &str| cos(sg(encoded(y)), predicted(x));
        let single = |weight| crisscross(weighted([(term("v1", "v2"), weight)]));
        assert_eq!(
            pretrain(&single(Exact::new(-2, 12))),
            pretrain(&single(Exact::new(-1, 6)))
        );
        assert_ne!(
            pretrain(&single(Exact::new(-1, 6))),
            pretrain(&single(Exact::new(-1, 5)))
        );
    }

    #[test]
    fn extractions_are_shared_by_evaluations_that_differ_in_the_head() {
        let settings = crisscross(pairs(&ALL));
        let model = pretrain(&settings);
        let head = |cost| Head::Svm {
            costs: vec![Exact::whole(cost)],
            choose: Choose::Test,
        };
        let eval = Eval {
            data: settings.data.clone(),
            uses: "v".to_owned(),
            clip: settings.modalities[0].clip.clone(),
            train: Clips::Random(2),
            test: Clips::Uniform(2),
            augment: settings.modalities[0].augment.clone(),
            features: vec![FeatureStep::L2],
            head: head(1),
            score: Score::Top1,
        };
        let other = Eval {
            head: head(2),
            ..eval.clone()
        };
        let features = extract(&model, None, &eval, 0);
        assert_eq!(features, extract(&model, None, &other, 0));
        assert_ne!(
            score(&[&features], &eval.head, Score::Top1, 0),
            score(&[&features], &other.head, Score::Top1, 0)
        );
        assert_ne!(
            features,
            extract(
                &model,
                None,
                &Eval {
                    test: Clips::Uniform(3),
                    ..eval.clone()
                },
                0
            )
        );
        assert_ne!(features, extract(&model, None, &eval, 1));
        assert_ne!(features, extract(&model, Some(1), &eval, 0));
        assert_ne!(
            extract(&model, Some(1), &eval, 0),
            extract(&model, Some(2), &eval, 0)
        );
        assert_ne!(features, extract(&features, None, &eval, 0));
    }

    #[test]
    fn every_field_of_an_evaluation_changes_a_hash() {
        let settings = crisscross(pairs(&ALL));
        let model = pretrain(&settings);
        let eval = Eval {
            data: settings.data.clone(),
            uses: "v".to_owned(),
            clip: settings.modalities[0].clip.clone(),
            train: Clips::Random(2),
            test: Clips::Uniform(2),
            augment: settings.modalities[0].augment.clone(),
            features: vec![FeatureStep::L2, FeatureStep::Bn],
            head: Head::Svm {
                costs: vec![Exact::whole(1), Exact::new(1, 2)],
                choose: Choose::Val(Exact::new(1, 10)),
            },
            score: Score::Top1,
        };
        let ids = |eval: &Eval| {
            let features = extract(&model, None, eval, 0);
            let score = score(&[&features], &eval.head, eval.score, 0);
            (features, score)
        };
        let mut seen = BTreeSet::from([ids(&eval)]);
        let mut fields = 0;
        changed(&json_of(&eval), &mut |value| {
            if let Ok(other) = serde_json::from_value::<Eval>(value.clone()) {
                fields += 1;
                assert!(
                    seen.insert(ids(&other)),
                    "the same hashes after a change: {value}"
                );
            }
        });
        assert!(fields > 15, "{fields} fields were changed");
    }

    /// What is not asked for stands in no hash: a map without noisy copies is what it was before there were any.
    #[test]
    fn every_field_of_a_map_changes_a_hash() {
        let settings = crisscross(pairs(&ALL));
        let model = pretrain(&settings);
        let map = |smooth| Saliency {
            of: Sampled {
                data: settings.data.clone(),
                uses: "v".to_owned(),
                clip: settings.modalities[0].clip.clone(),
                clips: Clips::Uniform(1),
                split: Part::Test,
                samples: 12,
            },
            target: Target::Agreement,
            smooth,
        };
        let plain = canonical::text(&map(None), &[]);
        assert!(plain.ends_with("\"target\":\"agreement\"}"), "{plain}");
        let id = |map: Saliency| draw(&model, None, &Drawing::Saliency(Box::new(map)), 0);
        let smooth = |draws, noise| {
            let noise = Exact::new(noise, 10);
            id(map(Some(Smooth { draws, noise })))
        };
        let ids = [id(map(None)), smooth(16, 1), smooth(8, 1), smooth(16, 2)];
        assert_eq!(BTreeSet::from(ids).len(), 4);
    }

    /// Operators of the catalogue under the name that their version has, where that is another one.
    const VERSIONED_AS: [(&str, &str); 19] = [
        ("text", "captions"),
        ("flow", "tvl1"),
        ("drop_words", "DW"),
        ("concat", "fuse"),
        ("multi_scale_crop", "MSC"),
        ("horizontal_flip", "HF"),
        ("color_jitter", "CJ"),
        ("gray_scale", "GS"),
        ("gaussian_blur", "GB"),
        ("cutout", "C"),
        ("volume_jitter", "VJ"),
        ("time_mask", "TM"),
        ("freq_mask", "FM"),
        ("random_crop", "RC"),
        ("time_warp", "TW"),
        ("videos", "decode"),
        ("sounds", "decode"),
        ("windows", "sample"),
        ("conv5", "extract"),
    ];

    /// Operators that compute nothing themselves: they set what another one does, or stand for what is written out.
    const SETTINGS: [&str; 23] = [
        "embedding",
        "saliency",
        "video",
        "audio",
        "consistent",
        "per_frame",
        "same",
        "overlap",
        "halves",
        "offset",
        "independent",
        "random",
        "uniform",
        "mean",
        "best",
        "last",
        "test",
        "val",
        "folds",
        "f",
        "h",
        "sum",
        "unit",
    ];

    #[test]
    fn what_the_catalogue_computes_has_a_version() {
        let unversioned: Vec<&str> = crate::catalog::operators()
            .filter(|operator| !operator.is_later)
            .map(|operator| operator.name)
            .filter(|name| {
                let own = VERSIONED_AS.iter().find(|(known, _)| known == name);
                let own = own.map_or(*name, |(_, own)| *own);
                !OPERATORS.iter().any(|(known, _)| *known == own)
            })
            .collect();
        let missing: Vec<&&str> = unversioned
            .iter()
            .filter(|name| !SETTINGS.contains(name))
            .collect();
        assert!(
            missing.is_empty(),
            "add {missing:?} to the versions, or to `SETTINGS`"
        );
    }

    #[test]
    fn each_operator_has_one_version() {
        let names: BTreeSet<&str> = OPERATORS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), OPERATORS.len());
    }

    #[test]
    fn keys_are_sorted_before_hashing() {
        let value = serde_json::json!({ "b": [1, "x"], "a": { "d": null, "c": true } });
        assert_eq!(
            canonical::text(&value, &[]),
            r#"{"a":{"c":true,"d":null},"b":[1,"x"]}"#
        );
    }
}
