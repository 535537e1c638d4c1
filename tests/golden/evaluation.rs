//! Heads on frozen features against scikit-learn and PyTorch, on features of ESC-10.

use compiler::hir;
use compiler::plan::{ScoreWork, StageId};
use compiler::units::Exact;
use runtime::eval::feature_set::{FeatureSet, Features};
use runtime::eval::heads::Means;
use runtime::eval::heads::linear::Learner;
use runtime::eval::layer::Layer;
use runtime::eval::liblinear::{self, Problem, Rows, Space};
use runtime::eval::score::{Scores, score};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use tch::{Device, Kind, Tensor};

fn tensors() -> BTreeMap<String, Tensor> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/golden/evaluation.safetensors"
    );
    Tensor::read_safetensors(path)
        .unwrap()
        .into_iter()
        .collect()
}

fn values(tensor: &Tensor) -> Vec<f64> {
    let flat = tensor.to_kind(Kind::Double).flatten(0, -1);
    flat.try_into().unwrap()
}

/// Each row a sample of its own; those of `train` come first.
fn set(tensors: &BTreeMap<String, Tensor>) -> FeatureSet {
    let rows = |name: &str| -> Vec<f32> { tensors[name].flatten(0, -1).try_into().unwrap() };
    let labels = |name: &str| -> Vec<i64> { tensors[name].shallow_clone().try_into().unwrap() };
    let (train, test) = (labels("train_label"), labels("test_label"));
    let count = train.len() + test.len();
    FeatureSet {
        data: "esc10".to_owned(),
        splits: 1,
        classes: (0..10).map(|class| class.to_string()).collect(),
        samples: (0..count).map(|sample| sample.to_string()).collect(),
        labels: train
            .iter()
            .chain(&test)
            .map(|label| *label as u32)
            .collect(),
        folds: (0..count)
            .map(|sample| u32::from(sample >= train.len()))
            .collect(),
        width: tensors["train"].size()[1] as usize,
        train: Features {
            values: rows("train"),
            samples: (0..train.len()).collect(),
        },
        test: Features {
            values: rows("test"),
            samples: (train.len()..count).collect(),
        },
    }
}

fn scored(set: &FeatureSet, head: hir::Head, kind: hir::Score) -> Scores {
    let work = ScoreWork {
        features: StageId("0".repeat(64)),
        beside: vec![],
        head,
        score: kind,
        seed: 0,
    };
    let mut means = Means {
        threads: 2,
        device: Device::Cpu,
        progress: &mut |_, _, _| (),
        stop: &AtomicBool::new(false),
    };
    score(set, &work, &mut means).unwrap()
}

/// Predictions are equal, and weights to what scikit-learn leaves of the gradient.
#[test]
fn machines_are_those_of_linear_svc_on_real_features() {
    let tensors = tensors();
    let set = set(&tensors);
    let width = set.width;
    // A row of zeros gives the intercept, a unit row one weight more.
    let mut probes = vec![0.0; width * (width + 1)];
    for at in 0..width {
        probes[width * (at + 1) + at] = 1.0;
    }
    let space = Space::new(&set.train.values, &probes, width).unwrap();
    let all: Vec<usize> = (0..set.train.samples.len()).collect();
    let asked: Vec<usize> = (0..=width).collect();
    let problem = Problem {
        train: Rows {
            values: &space.train,
            width: space.width,
            rows: &all,
        },
        classes_of_rows: &set.labels[..all.len()],
        classes: 10,
        test: Rows {
            values: &space.test,
            width: space.width,
            rows: &asked,
        },
        costs: &[0.1],
        products: space.products.as_ref(),
    };
    let never = AtomicBool::new(false);
    let found = liblinear::decide(&[problem], 2, &mut |_, _| (), &never).unwrap();
    let (weights, intercepts) = (values(&tensors["coef"]), values(&tensors["intercept"]));
    let mut most: f64 = 0.0;
    for (class, found) in found[0].values[0].iter().enumerate() {
        most = most.max((found[0] - intercepts[class]).abs());
        for at in 0..width {
            let weight = found[at + 1] - found[0];
            most = most.max((weight - weights[class * width + at]).abs());
        }
    }
    assert!(most < 1e-5, "{most}");

    assert_eq!(predicted(&set), values(&tensors["predicted"]));
}

/// What machines at a cost of 1/10 take the test rows for.
fn predicted(set: &FeatureSet) -> Vec<f64> {
    let svm = hir::Head::Svm {
        costs: vec![Exact::new(1, 10)],
        choose: hir::Choose::Test,
    };
    let scores = scored(set, svm, hir::Score::Top1);
    let found = scores.predictions.iter();
    found
        .map(|found| found.predicted.parse().unwrap())
        .collect()
}

/// Features that are fused are classified as scikit-learn does with all of them side by side.
#[test]
fn a_late_fusion_is_linear_svc_on_the_parts_side_by_side() {
    let tensors = tensors();
    let whole = set(&tensors);
    let part = |columns: std::ops::Range<usize>| {
        let of = |features: &Features| Features {
            values: features
                .values
                .chunks(whole.width)
                .flat_map(|row| row[columns.clone()].to_vec())
                .collect(),
            samples: features.samples.clone(),
        };
        FeatureSet {
            width: columns.len(),
            train: of(&whole.train),
            test: of(&whole.test),
            ..whole.clone()
        }
    };
    let fused = FeatureSet::beside(vec![part(0..100), part(100..whole.width)]).unwrap();
    assert_eq!(predicted(&fused), values(&tensors["predicted"]));
    // Each part alone comes to something else.
    assert_ne!(predicted(&part(0..100)), values(&tensors["predicted"]));
}

/// The training rows lie in four other folds: the choice within them is that of `GridSearchCV` with `PredefinedSplit`.
#[test]
fn a_cost_is_chosen_by_folds_as_grid_search_chooses_it() {
    let text = include_str!("evaluation.json");
    let due: serde_json::Value = serde_json::from_str(text).unwrap();
    let one = set(&tensors());
    let trained = one.train.samples.len();
    // Every row trains and can be tested, as its fold says; split 1 alone is compared.
    let all = Features {
        values: [one.train.values.clone(), one.test.values.clone()].concat(),
        samples: (0..one.samples.len()).collect(),
    };
    let set = FeatureSet {
        splits: 5,
        folds: (0..one.samples.len() as u32)
            .map(|row| match (row as usize) < trained {
                true => row % 4 + 2,
                false => 1,
            })
            .collect(),
        train: all.clone(),
        test: all,
        ..one.clone()
    };
    let costs = [10_000, 1000, 100, 10, 1].map(|over| Exact::new(1, over));
    let svm = hir::Head::Svm {
        costs: costs.to_vec(),
        choose: hir::Choose::Folds(None),
    };
    let scores = scored(&set, svm, hir::Score::Top1);
    let fold = &scores.folds[0];
    assert_eq!(fold.tried.len(), costs.len());
    for ((cost, found), due) in fold.tried.iter().zip(due["tried"].as_array().unwrap()) {
        assert!(
            (found - due.as_f64().unwrap()).abs() < 1e-6,
            "{cost}: {found} {due}"
        );
    }
    let chosen = costs
        .iter()
        .find(|cost| cost.to_f64() == due["cost"].as_f64().unwrap());
    assert_eq!(fold.cost, chosen.map(Exact::to_string));
    let predicted = due["predicted"].as_array().unwrap();
    assert_eq!(fold.test as usize, predicted.len());
    for (found, due) in scores.predictions.iter().zip(predicted) {
        assert_eq!(found.predicted, due.to_string(), "{}", found.sample);
    }
}

#[test]
fn neighbours_are_those_of_scikit_learn() {
    let tensors = tensors();
    let set = set(&tensors);
    let scores = scored(&set, hir::Head::Neighbours, hir::Score::Recall(5));
    let neighbours = values(&tensors["neighbours"]);
    let norms = values(&tensors["test"].norm_scalaropt_dim(2.0, [1].as_slice(), false));
    let asked = scores.predictions.iter().zip(neighbours.chunks(20));
    for ((found, nearest), norm) in asked.zip(norms) {
        let class = |row: &f64| set.labels[*row as usize].to_string();
        if norm == 0.0 {
            // Silence: all are as far away, and the first row comes first.
            assert_eq!(found.predicted, class(&0.0));
            continue;
        }
        assert_eq!(found.predicted, class(&nearest[0]), "{}", found.sample);
        let place = nearest.iter().position(|row| class(row) == found.class);
        match place {
            Some(place) => assert_eq!(found.rank, place as u64 + 1, "{}", found.sample),
            None => assert!(found.rank > 20, "{}", found.sample),
        }
    }
}

#[test]
fn a_linear_layer_takes_the_steps_of_pytorch() {
    let tensors = tensors();
    let recipe = hir::Linear {
        ep: 1,
        lr: hir::Schedule::Constant(Exact::new(7, 1000)),
        bs: None,
        optim: Some(hir::Optimiser::Adam {
            betas: (Exact::new(9, 10), Exact::new(999, 1000)),
            wd: Exact::new(1, 100_000),
        }),
        drp: None,
        keep: None,
    };
    let bias = Tensor::zeros([10], (Kind::Float, Device::Cpu));
    let layer = Layer::of(tensors["layer_first"].copy(), bias);
    let mut learner = Learner::new(layer, &recipe).unwrap();
    let key = runtime::augment::Key::at(0, "layer");
    let count = tensors["train"].size()[0];
    for (step, expected) in (0..).zip(values(&tensors["layer_losses"])) {
        let batch: Vec<i64> = (0..32).map(|row| (32 * step + row) % count).collect();
        let batch = Tensor::from_slice(&batch);
        let features = tensors["train"].index_select(0, &batch);
        let classes = tensors["train_label"].index_select(0, &batch);
        let loss = learner.step(&features, &classes, 0.007, &key).unwrap();
        let loss = loss.double_value(&[]);
        assert!(
            (loss - expected).abs() < 1e-5 * expected,
            "step {step}: {loss} {expected}"
        );
    }
    let parameters = learner.parameters();
    for (name, found) in ["layer_weight", "layer_bias"].iter().zip(&parameters) {
        let off = (found - &tensors[*name]).abs().max().double_value(&[]);
        assert!(off < 1e-5, "{name}: {off}");
    }
}
