//! One training step of the paper's networks, the three steps after it, and the maps.

use crate::recipe::{self, Recipe, assert_near, json, numbers};
use compiler::hir::{
    Across, BatchNorm, Chain, Clip, Data, Layer, LogMel, Modality, Network, Optimiser, Precision,
    Pretrain, Relaxation, Schedule, Synthetic, Within,
};
use compiler::loss::{Embedding, EmbeddingOp, Loss, Term, TermOp};
use compiler::units::Exact;
use compiler::{passes, plan};
use runtime::data::batch::{Batch, Clips};
use runtime::execute::{Outputs, Program};
use runtime::nn::Model;
use runtime::nn::parameters::Entry;
use runtime::train::{descend, groups};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tch::{Device, Kind, Tensor, no_grad};

/// The agreement asked for in float64. The released model agrees with itself to about 1e-14 under other numbers of threads.
const TOLERANCE: f64 = 1e-6;

/// The paper's networks at full size, `intra + sync + async`, in float64.
fn settings(optim: Optimiser) -> Pretrain {
    let fc = |width| Layer::Fc { width };
    let (bn, relu) = (Layer::Bn, Layer::Relu);
    let projector = [
        fc(2048),
        bn.clone(),
        relu.clone(),
        fc(2048),
        bn.clone(),
        relu.clone(),
        fc(2048),
        bn.clone(),
    ];
    let modality = |name: &str, clip, backbone: Layer| Modality {
        name: name.to_owned(),
        clip,
        augment: Chain {
            per_frame: false,
            links: vec![],
        },
        f: Network {
            layers: [&[backbone], &projector[..]].concat(),
            same: None,
        },
        h: Some(Network {
            layers: vec![fc(512), bn.clone(), relu.clone(), fc(2048)],
            same: None,
        }),
        lr_b: Schedule::Constant(Exact::new(2, 10_000)),
        lr_p: Schedule::Constant(Exact::new(2, 1_000)),
    };
    let video = Clip::Video {
        frames: 8,
        size: 112,
        fps: Exact::whole(16),
    };
    let mel = LogMel {
        bands: 80,
        hop: 160,
        fft: 1024,
        centre: false,
    };
    let audio = Clip::Audio {
        samples: 32_000,
        rate: Exact::whole(16_000),
        mel,
    };
    Pretrain {
        data: Data::Synthetic(Synthetic {
            clips: 4,
            classes: 2,
            length: Exact::whole(4),
            lag: Exact::whole(0),
            seed: 0,
            streams: vec!["v".to_owned(), "a".to_owned()],
            splits: 1,
        }),
        modalities: vec![
            modality(
                "v",
                video,
                Layer::R2plus1d {
                    depth: 18,
                    width: 64,
                    strides: vec![],
                },
            ),
            modality(
                "a",
                audio,
                Layer::Resnet {
                    depth: 18,
                    width: 64,
                    channels: 1,
                    strides: vec![],
                },
            ),
        ],
        views: 2,
        loss: every_pair(),
        relax: Relaxation {
            within: Within::Same,
            across: Across::Inside,
            same: vec![],
        },
        bn: BatchNorm::PerView,
        bn_group: None,
        bs: 4,
        es: 4,
        ep: 1,
        optim,
        precision: Precision::Fp64,
        seed: 0,
    }
}

/// Equations 2 to 5: the mean over the six pairs of the four views, each both ways.
fn every_pair() -> Loss {
    let view = |modality: &str, view| Embedding::View {
        modality: modality.to_owned(),
        view,
    };
    let views = [
        ("v", view("v", 1)),
        ("v", view("v", 2)),
        ("a", view("a", 1)),
        ("a", view("a", 2)),
    ];
    let apply = |op, x| Embedding::Apply(op, Box::new(x));
    let z = |(m, x): &(&str, Embedding)| apply(EmbeddingOp::Encode(format!("{m}.f")), x.clone());
    let p = |x: &(&str, Embedding)| apply(EmbeddingOp::Predict(format!("{}.h", x.0)), z(x));
    let mut terms: Vec<_> = views
        .iter()
        .flat_map(|x| views.iter().filter(move |y| *y != x).map(move |y| (x, y)))
        .map(|(x, y)| {
            let args = vec![p(x), apply(EmbeddingOp::StopGradient, z(y))];
            (
                Term {
                    op: TermOp::Cos,
                    args,
                },
                Exact::new(-1, 12),
            )
        })
        .collect();
    terms.sort();
    Loss { terms }
}

/// Adam as in Table S10.
fn adam() -> Optimiser {
    Optimiser::Adam {
        betas: (Exact::new(9, 10), Exact::new(999, 1_000)),
        wd: Exact::new(1, 10_000),
    }
}

/// One test at a time: each takes some 3 GiB and all processors.
static TURN: Mutex<()> = Mutex::new(());

/// The compiled step, and the networks and the batch of the recipe.
struct Setup {
    _turn: MutexGuard<'static, ()>,
    settings: Pretrain,
    program: Program,
    model: Model,
    batch: Batch,
}

impl Setup {
    fn new(optim: Optimiser) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let settings = settings(optim);
        let steps = passes::build(&settings).0.steps();
        let work = plan::Pretrain {
            settings: settings.clone().into(),
            steps: steps.into(),
            keep: vec![],
        };
        let program = Program::new(&work).unwrap();
        let model = Model::new(&settings, program.groups(), Device::Cpu).unwrap();
        let recipe = Recipe::read();
        fill(&model, &recipe);
        Self {
            _turn: turn,
            settings,
            program,
            model,
            batch: batch(&recipe),
        }
    }

    fn forward(&self) -> Outputs {
        self.program
            .forward(&self.model, &self.batch, Device::Cpu)
            .unwrap()
    }

    fn learned(&self) -> Vec<&Entry> {
        self.model
            .entries()
            .filter(|entry| entry.is_learned)
            .collect()
    }

    /// Norms against those of the golden file, which has all of these entries; `is_exact`: the norm is more than rounding noise.
    fn compare_norms(
        &self,
        golden: &Value,
        of: impl Fn(&Entry) -> bool,
        is_exact: impl Fn(&str) -> bool,
    ) {
        let entries: Vec<_> = self.model.entries().filter(|entry| of(entry)).collect();
        assert_eq!(entries.len(), golden.as_object().unwrap().len());
        for entry in entries.into_iter().filter(|entry| is_exact(&entry.name)) {
            assert_near(
                &entry.name,
                l2(&entry.tensor),
                golden[&entry.name].as_f64().unwrap(),
                TOLERANCE,
            );
        }
    }
}

/// Gives every parameter the closed-form value of its name.
fn fill(model: &Model, recipe: &Recipe) {
    let manifest = json("params_manifest.json");
    let rows: BTreeMap<_, _> = manifest["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["name"].as_str().unwrap(), row))
        .collect();
    for entry in model.entries().filter(|entry| entry.is_learned) {
        let row = rows[entry.name.as_str()];
        let shape: Vec<_> = numbers(&row["shape"])
            .into_iter()
            .map(|n| n as i64)
            .collect();
        assert_eq!(shape, entry.tensor.size(), "{}", entry.name);
        if let Some(fan_in) = row["fan_in"].as_f64() {
            let kind = row["kind"].as_str().unwrap();
            let fill = |name: &str| recipe::parameter(name, entry.tensor.numel(), kind, fan_in);
            let values = recipe.tensor(&entry.name, &row["first4"], fill);
            entry
                .set(&Tensor::from_slice(&values).view(&shape[..]))
                .unwrap();
        }
        assert_near(
            &entry.name,
            l2(&entry.tensor),
            row["l2"].as_f64().unwrap(),
            1e-12,
        );
    }
}

/// The two views of both modalities.
fn batch(recipe: &Recipe) -> Batch {
    let inputs = &json("values.json")["inputs"];
    let n = recipe.batch;
    let view = |name: &str| {
        let golden = &inputs[name];
        let shape: Vec<_> = numbers(&golden["shape"])
            .into_iter()
            .map(|n| n as i64)
            .collect();
        let fill = |name: &str| {
            if shape.len() == 5 {
                recipe::video(name, n)
            } else {
                recipe::audio(name, n)
            }
        };
        let values = recipe.tensor(&format!("input.{name}"), &golden["first4"], fill);
        let x = Tensor::from_slice(&values)
            .view(&shape[..])
            .to_kind(Kind::Double);
        assert_near(name, l2(&x), golden["l2"].as_f64().unwrap(), 1e-12);
        x
    };
    let names = [("v", 1), ("v", 2), ("a", 1), ("a", 2)];
    let views =
        names.map(|(modality, i)| ((modality.to_owned(), i), view(&format!("{modality}{i}"))));
    Batch {
        views: views.into(),
        keys: vec![],
        clips: Clips::default(),
        overlaps: runtime::data::overlaps::Overlaps::default(),
        step: 0,
        waited: Duration::ZERO,
        queued: 0,
    }
}

/// The Euclidean norm in float64.
fn l2(x: &Tensor) -> f64 {
    x.detach().to_kind(Kind::Double).norm().double_value(&[])
}

#[test]
fn the_paper_has_49_662_080_parameters() {
    let setup = settings(adam());
    let model = Model::new(&setup, ["v.f", "v.h", "a.f", "a.h"], Device::Cpu).unwrap();
    let golden = &json("values.json")["counts"];
    let count = |prefix: &str| -> u64 {
        let learned = model
            .entries()
            .filter(|entry| entry.is_learned && entry.name.starts_with(prefix));
        learned.map(|entry| entry.tensor.numel() as u64).sum()
    };
    for (part, golden) in golden["parameters"].as_object().unwrap() {
        assert_eq!(count(part), golden.as_u64().unwrap(), "{part}");
    }
    assert_eq!(count(""), 49_662_080);
    // Names and shapes of the buffers, too.
    let manifest = json("params_manifest.json");
    let rows = ["parameters", "buffers"]
        .into_iter()
        .flat_map(|kind| manifest[kind].as_array().unwrap());
    let golden: BTreeMap<_, _> = rows
        .map(|row| (row["name"].as_str().unwrap(), numbers(&row["shape"])))
        .collect();
    let shape = |entry: &Entry| entry.tensor.size().into_iter().map(|n| n as f64).collect();
    let ours: BTreeMap<_, Vec<_>> = model
        .entries()
        .map(|entry| (entry.name.as_str(), shape(entry)))
        .collect();
    assert_eq!(ours, golden);
}

#[test]
fn maps_have_the_shapes_of_tables_s5_and_s6() {
    // Shapes need no digits and no values: float32, and zeros that share one number of memory.
    let settings = Pretrain {
        precision: Precision::Fp32,
        ..settings(adam())
    };
    let model = Model::new(&settings, ["v.f", "a.f"], Device::Cpu).unwrap();
    let golden = json("shapes.json");
    for (group, channels, table) in [("v.f", 3, &golden["video"]), ("a.f", 1, &golden["audio"])] {
        for (size, golden) in table.as_object().unwrap() {
            let size: Vec<i64> = size.split('x').map(|n| n.parse().unwrap()).collect();
            let x = Tensor::zeros([1], (Kind::Float, Device::Cpu))
                .expand([&[1, channels], &size[..]].concat(), false);
            let maps = no_grad(|| {
                model
                    .backbone(group)
                    .unwrap()
                    .maps(&x, false)
                    .collect::<Vec<_>>()
            });
            let stem = if golden["conv1"].is_null() {
                "conv1_after_maxpool"
            } else {
                "conv1"
            };
            for (map, name) in maps
                .iter()
                .zip([stem, "conv2x", "conv3x", "conv4x", "conv5x"])
            {
                let golden: Vec<_> = numbers(&golden[name])
                    .into_iter()
                    .map(|n| n as i64)
                    .collect();
                assert_eq!(map.size(), golden, "{name} of {size:?}");
            }
        }
    }
}

#[test]
fn one_step_has_the_losses_embeddings_and_gradients_of_the_released_code() {
    let setup = Setup::new(adam());
    let values = json("values.json");
    let golden = &values["float64_reference"];
    let outputs = setup.forward();

    // Sub-losses and totals. A sub-loss is the mean of the two distances of a pair.
    let cosines = setup.program.terms(&outputs);
    let sub = |x: &str, y: &str| {
        -(cosines[&format!("cos(p.{x},s.{y})")] + cosines[&format!("cos(p.{y},s.{x})")]) / 2.0
    };
    let losses = &golden["losses"];
    let golden_subs = losses["sub"].as_object().unwrap();
    assert_eq!(golden_subs.len(), 6);
    for (name, golden) in golden_subs {
        assert_near(
            name,
            sub(&name[1..3], &name[3..5]),
            golden.as_f64().unwrap(),
            TOLERANCE,
        );
    }
    let equations = [
        ("L_intra", (sub("v1", "v2") + sub("a1", "a2")) / 2.0),
        ("L_sync", (sub("v1", "a1") + sub("v2", "a2")) / 2.0),
        ("L_async", (sub("v1", "a2") + sub("v2", "a1")) / 2.0),
        ("total", outputs.objective.double_value(&[])),
    ];
    for (name, ours) in equations {
        assert_near(
            name,
            ours,
            losses["paper_eq_2_to_5"][name].as_f64().unwrap(),
            TOLERANCE,
        );
    }
    assert_near(
        "total of the code",
        equations[3].1,
        losses["code"]["total"].as_f64().unwrap(),
        TOLERANCE,
    );

    // Embeddings and predictions: the norm of all, and the first columns one by one.
    let golden_columns: BTreeMap<_, _> =
        Tensor::read_safetensors(recipe::path("embeddings.safetensors"))
            .unwrap()
            .into_iter()
            .collect();
    for (name, golden) in golden["embedding_l2"].as_object().unwrap() {
        let (op, view) = name.split_at(1);
        let ours = setup
            .program
            .value(&outputs, &format!("{op}.{view}"))
            .unwrap()
            .detach();
        assert_near(name, l2(&ours), golden.as_f64().unwrap(), TOLERANCE);
        let columns = &golden_columns[&format!("{name}_first64_float64")];
        let error = (ours.slice(1, 0, columns.size()[1], 1) - columns)
            .abs()
            .max()
            .double_value(&[]);
        let scale = columns.abs().max().double_value(&[]);
        assert!(error <= TOLERANCE * scale, "{name}: {error:e} of {scale}");
    }

    // Running statistics moved once per view.
    setup.compare_norms(
        &golden["buffer_l2_after_1_forward"],
        |entry| !entry.is_learned,
        |_| true,
    );

    // Gradients. Those that are zero by the mathematics hold rounding noise.
    let learned = setup.learned();
    let parameters: Vec<_> = learned.iter().map(|entry| &entry.tensor).collect();
    let gradients = Tensor::run_backward(&[&outputs.objective], &parameters, false, false);
    let golden = &json("gradients.json")["gradients"];
    assert_eq!(learned.len(), golden.as_object().unwrap().len());
    for (entry, gradient) in learned.iter().zip(gradients) {
        let golden = &golden[&entry.name];
        if golden["analytically_zero"].as_bool().unwrap() {
            assert!(l2(&gradient) < 1e-12, "{}", entry.name);
            continue;
        }
        assert_near(
            &entry.name,
            l2(&gradient),
            golden["l2_float64"].as_f64().unwrap(),
            TOLERANCE,
        );
        let first = gradient.flatten(0, -1).slice(0, 0, 4, 1);
        let first = Vec::<f64>::try_from(first).unwrap();
        for (ours, golden) in first.iter().zip(numbers(&golden["first4_float64"])) {
            assert!(
                (ours - golden).abs() <= TOLERANCE * l2(&gradient),
                "{}: {ours} is not {golden}",
                entry.name
            );
        }
    }
}

/// Steps on one batch in one of the settings of `optimizer_steps.json`; each loss is compared on the way.
fn take_steps(mode: &str, optimiser: Optimiser, count: usize) -> (Setup, Value) {
    let golden = json("optimizer_steps.json")[mode]["float64"].take();
    let setup = Setup::new(optimiser);
    let mut groups = groups(&setup.settings, &setup.model).unwrap();
    for step in &golden["steps"].as_array().unwrap()[..count] {
        let objective = setup.forward().objective;
        assert_near(
            "loss",
            objective.double_value(&[]),
            step["loss"].as_f64().unwrap(),
            TOLERANCE,
        );
        let name = |group: &str| match group {
            "v.f" => "vid_base",
            "v.h" => "vid_predictor",
            "a.f" => "aud_base",
            "a.h" => "aud_predictor",
            _ => panic!("the paper has no group {group}"),
        };
        descend(&objective, &mut groups, |group| {
            step["lr"][name(&group.name)].as_f64().unwrap()
        })
        .unwrap();
    }
    (setup, golden)
}

/// All three steps, and the forward pass after them.
fn compare_three_steps(mode: &str, optimiser: Optimiser) {
    let (setup, golden) = take_steps(mode, optimiser, 3);
    let after = setup.forward().objective.double_value(&[]);
    assert_near(
        "loss after",
        after,
        golden["loss_after"].as_f64().unwrap(),
        TOLERANCE,
    );
    // A parameter whose gradient is zero by the mathematics is moved by rounding noise.
    let gradients = &json("gradients.json")["gradients"];
    let has_gradient = |name: &str| !gradients[name]["analytically_zero"].as_bool().unwrap();
    setup.compare_norms(&golden["param_l2"], |entry| entry.is_learned, has_gradient);
    let buffers = &golden["buffer_l2_after_3_steps_and_1_more_forward"];
    setup.compare_norms(buffers, |entry| !entry.is_learned, |_| true);
}

/// Adam with the settings of the golden file and the decay in its own gradient.
fn plain_adam() -> Optimiser {
    let settings = &json("optimizer_steps.json")["settings"];
    Optimiser::Adam {
        betas: (exact(&settings["betas"][0]), exact(&settings["betas"][1])),
        wd: exact(&settings["weight_decay"]),
    }
}

/// The same inside LARC, as the released configuration has it.
fn larc(trust: Exact) -> Optimiser {
    Optimiser::Larc {
        inner: Box::new(plain_adam()),
        trust,
    }
}

/// LARC with the coefficient of the golden file.
fn configured_larc() -> Optimiser {
    larc(exact(
        &json("optimizer_steps.json")["settings"]["larc_trust_coefficient"],
    ))
}

fn exact(value: &Value) -> Exact {
    Exact::new(
        (value.as_f64().unwrap() * 1e12).round() as i128,
        1_000_000_000_000,
    )
}

#[test]
fn three_steps_at_the_rates_of_the_released_code() {
    compare_three_steps("as_code", configured_larc());
}

#[test]
fn three_steps_at_fixed_rates() {
    compare_three_steps("fixed", configured_larc());
}

#[test]
fn three_steps_with_larc_at_work() {
    compare_three_steps("larc_active", larc(Exact::new(1, 1_000_000)));
}

/// In the first step LARC leaves every gradient as plain Adam sees it: its factor is 1, and it adds the decay that Adam would.
/// From the second on it clips the BatchNorm biases, which are no longer zero, so plain Adam is compared up to there.
#[test]
fn the_first_step_of_plain_adam() {
    let (setup, golden) = take_steps("fixed", plain_adam(), 1);
    assert_near(
        "loss after one step",
        setup.forward().objective.double_value(&[]),
        golden["steps"][1]["loss"].as_f64().unwrap(),
        TOLERANCE,
    );
}
