//! Heads on frozen features against scikit-learn and PyTorch, on features of ESC-10.

use compiler::hir;
use compiler::plan::{ScoreWork, StageId};
use compiler::units::Exact;
use runtime::eval::feature_set::{FeatureSet, Features};
use runtime::eval::heads::linear::Learner;
use runtime::eval::heads::{Means, best};
use runtime::eval::layer::Layer;
use runtime::eval::liblinear::{self, Problem, Rows, Space};
use runtime::eval::newton;
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
            values: rows("train").into(),
            samples: (0..train.len()).collect(),
        },
        test: Features {
            values: rows("test").into(),
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

/// The solvers of the SVM.
#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    FiniteNewton,
    Liblinear,
    Newton,
}

/// Decision values `[class][row]` of machines that are fitted to all training rows at a cost of 1/10.
fn decisions(set: &FeatureSet, asked: &Features, by: By) -> Vec<Vec<f64>> {
    let never = AtomicBool::new(false);
    let (trained, rows): (Vec<usize>, Vec<usize>) = (
        (0..set.train.samples.len()).collect(),
        (0..asked.samples.len()).collect(),
    );
    let classes_of_rows = &set.labels[..trained.len()];
    let found = if by == By::Newton {
        let of = |features, rows| newton::Rows {
            features,
            width: set.width,
            rows,
        };
        newton::decide(
            of(&set.train, &trained),
            (classes_of_rows, 10),
            of(asked, &rows),
            &[0.1],
            Device::Cpu,
            (&mut || (), &never),
        )
        .unwrap()
    } else {
        let space = Space::new(&set.train.values, &asked.values, set.width).unwrap();
        let of = |values, rows| Rows {
            values,
            width: space.width,
            rows,
        };
        let problem = Problem {
            train: of(&space.train, &trained),
            classes_of_rows,
            classes: 10,
            test: of(&space.test, &rows),
            costs: &[0.1],
            products: space.products.as_ref().filter(|_| by == By::FiniteNewton),
        };
        let mut found = liblinear::decide(&[problem], 2, &mut |_, _| (), &never).unwrap();
        found.swap_remove(0)
    };
    assert_eq!((found.fits, found.unconverged), (10, 0), "{by:?}");
    found.values.into_iter().next().unwrap()
}

/// Predictions are equal. Weights are off by what scikit-learn leaves of the gradient, and by what the solver may: the objective is strongly
/// convex with modulus 1, so they lie within the gradient that is left, and for a tenth of the rows that is a tenth of the tolerance times
/// the gradient at zero weights.
#[test]
fn machines_are_those_of_linear_svc_on_real_features() {
    let tensors = tensors();
    let set = set(&tensors);
    let width = set.width;
    // A row of zeros gives the intercept, a unit row one weight more.
    let mut probes = Features {
        values: vec![0.0; width * (width + 1)].into(),
        samples: vec![0; width + 1],
    };
    for at in 0..width {
        probes.values.held()[width * (at + 1) + at] = 1.0;
    }
    let at_zero = |class: usize| -> f64 {
        let mut sum = vec![0.0; width + 1];
        for (row, label) in set.train.values.chunks(width).zip(&set.labels) {
            let side = if *label as usize == class { 1.0 } else { -1.0 };
            let row = row.iter().map(|value| f64::from(*value)).chain([1.0]);
            sum.iter_mut()
                .zip(row)
                .for_each(|(sum, value)| *sum += side * value);
        }
        2.0 * 0.1 * sum.iter().map(|value| value * value).sum::<f64>().sqrt()
    };
    let (weights, intercepts) = (values(&tensors["coef"]), values(&tensors["intercept"]));
    for by in [By::FiniteNewton, By::Liblinear, By::Newton] {
        for (class, found) in decisions(&set, &probes, by).iter().enumerate() {
            let mut off = (found[0] - intercepts[class]).powi(2);
            for at in 0..width {
                let weight = found[at + 1] - found[0];
                off += (weight - weights[class * width + at]).powi(2);
            }
            let left = match by {
                By::FiniteNewton => 0.0,
                By::Liblinear | By::Newton => 1.001 * liblinear::TOLERANCE * 0.1 * at_zero(class),
            };
            let off = off.sqrt();
            println!("{by:?} {class} {off} {left}");
            assert!(off < 2e-5 + left, "{by:?}, class {class}: {off} {left}");
        }
        let found = decisions(&set, &set.test, by);
        let classes = (0..set.test.samples.len()).map(|row| {
            let of_row: Vec<f64> = found.iter().map(|of_class| of_class[row]).collect();
            best(&of_row) as f64
        });
        let classes: Vec<f64> = classes.collect();
        assert_eq!(classes, values(&tensors["predicted"]), "{by:?}");
    }
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
    let fused = FeatureSet::beside(
        vec![part(0..100), part(100..whole.width)],
        &std::env::temp_dir(),
    )
    .unwrap();
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
        values: [&one.train.values[..], &one.test.values[..]]
            .concat()
            .into(),
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
    assert_eq!(scores.predictions.len(), neighbours.len() / 20);
    assert_eq!(scores.predictions.len(), set.test.samples.len());
    let within = scores.predictions.iter().filter(|found| found.rank <= 5);
    let share = 100.0 * within.count() as f64 / scores.predictions.len() as f64;
    assert_eq!(scores.folds[0].value, share);
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
