//! Twenty steps of finetuning against eager PyTorch, in float64: losses, weights, running statistics, and the scores that come of them.

use crate::recipe::{Stream, assert_near, json, numbers, parameter};
use compiler::hir::{
    Across, BatchNorm, Chain, Clip, Data, Finetune, Keep, Layer, LogMel, Modality, Network,
    Optimiser, Pool, Precision, Pretrain, Relaxation, Schedule, Synthetic, Within,
};
use compiler::loss::Loss;
use compiler::units::Exact;
use runtime::data::batch::{Batch, Clips};
use runtime::eval::finetune::{Stepped, Tuning};
use serde_json::Value;
use std::time::Duration;
use tch::{Device, Kind, Tensor};

/// What rounding leaves of float64 over twenty steps: sums are taken in another order, and each step builds on the one before. Losses were
/// seen apart by 5e-13 at most.
const TOLERANCE: f64 = 1e-9;

const BATCH: i64 = 8;
const CLASSES: i64 = 5;

fn backbone(modality: &str) -> (Clip, Layer) {
    let strides = vec![];
    match modality {
        "v" => (
            Clip::Video {
                frames: 4,
                size: 64,
                fps: Exact::whole(16),
            },
            Layer::R2plus1d {
                depth: 10,
                width: 4,
                strides,
            },
        ),
        _ => (
            Clip::Audio {
                samples: 12_800,
                rate: Exact::whole(16_000),
                mel: LogMel {
                    bands: 64,
                    hop: 160,
                    fft: 1024,
                    centre: false,
                },
            },
            Layer::Resnet {
                depth: 10,
                width: 4,
                channels: 1,
                strides,
            },
        ),
    }
}

/// A pretraining with this backbone alone.
fn settings(name: &str) -> Pretrain {
    let (clip, layer) = backbone(name);
    let none = Schedule::Constant(Exact::whole(0));
    Pretrain {
        data: Data::Synthetic(Synthetic {
            clips: 4,
            classes: 2,
            length: Exact::whole(1),
            lag: Exact::whole(0),
            seed: 0,
            streams: vec![name.to_owned()],
            splits: 1,
        }),
        modalities: vec![Modality {
            name: name.to_owned(),
            clip,
            augment: Chain {
                per_frame: false,
                links: vec![],
            },
            f: Network {
                layers: vec![layer],
                same: None,
            },
            h: None,
            lr_b: none.clone(),
            lr_p: none,
        }],
        views: 2,
        loss: Loss::default(),
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
        optim: Optimiser::Sgd {
            mtm: Exact::whole(0),
            wd: Exact::whole(0),
        },
        precision: Precision::Fp64,
        seed: 0,
    }
}

/// The recipes of `finetune.py`: four epochs of five steps.
fn recipe(modality: &str) -> Finetune {
    let steps = |base, milestones: &[i128], gamma| Schedule::Multistep {
        base,
        milestones: milestones.iter().map(|at| Exact::whole(*at)).collect(),
        gamma,
    };
    let (pool, optim, lr) = match modality {
        "v" => (
            Pool::AdaptiveMax,
            Optimiser::Sgd {
                mtm: Exact::new(9, 10),
                wd: Exact::whole(0),
            },
            steps(Exact::new(5, 1_000), &[1, 3], Exact::new(3, 10)),
        ),
        _ => (
            Pool::AdaptiveMean,
            Optimiser::Adam {
                betas: (Exact::new(9, 10), Exact::new(999, 1_000)),
                wd: Exact::new(1, 100),
            },
            steps(Exact::new(5, 10_000), &[2], Exact::new(1, 2)),
        ),
    };
    Finetune {
        pool,
        drp: Exact::whole(0),
        bs: 8,
        es: 40,
        ep: 4,
        optim,
        lr,
        keep: Keep::Last,
    }
}

/// The clips of a step and their classes.
fn batch(modality: &str, step: i64) -> (Batch, Vec<i64>) {
    let shape: &[i64] = match modality {
        "v" => &[BATCH, 3, 4, 64, 64],
        _ => &[BATCH, 1, 64, 80],
    };
    let stream = Stream::new(&format!("finetune.{modality}.{step}"));
    let count = shape.iter().product::<i64>() as usize;
    let values: Vec<f32> = (0..count).map(|i| stream.at(i) as f32).collect();
    let values = Tensor::from_slice(&values)
        .view(shape)
        .to_kind(Kind::Double);
    let classes: Vec<i64> = (0..BATCH).map(|at| (at + step) % CLASSES).collect();
    let mut axes = vec![1; shape.len()];
    axes[0] = BATCH;
    let values = values
        + Tensor::from_slice(&classes)
            .view(&axes[..])
            .to_kind(Kind::Double)
            / 4.0;
    let batch = Batch {
        views: [((modality.to_owned(), 1), values)].into(),
        keys: vec![],
        clips: Clips::default(),
        overlaps: runtime::data::overlaps::Overlaps::default(),
        step: step as u64,
        waited: Duration::ZERO,
        queued: 0,
    };
    (batch, classes)
}

/// Weights by their names.
fn fill(tuning: &Tuning) {
    for entry in tuning.entries() {
        let size = entry.tensor.size();
        if size.len() > 1 {
            let fan_in = size[1..].iter().product::<i64>() as f64;
            let values = parameter(&entry.name, entry.tensor.numel(), "weight", fan_in);
            entry
                .set(&Tensor::from_slice(&values).view(&size[..]))
                .unwrap();
        }
    }
}

fn compare(modality: &str, golden: &Value) {
    let settings = settings(modality);
    let recipe = recipe(modality);
    let classes = CLASSES as usize;
    let mut tuning = Tuning::new(&settings, modality, &recipe, classes, 0, Device::Cpu).unwrap();
    fill(&tuning);
    let losses = numbers(&golden["losses"]);
    for (step, golden) in (0..).zip(&losses) {
        let (batch, classes) = batch(modality, step);
        let Stepped::Down(loss) = tuning.step(step as u64, &batch, &classes).unwrap() else {
            panic!("step {step} is not finite")
        };
        assert_near(
            &format!("{modality}, loss of step {step}"),
            loss,
            *golden,
            TOLERANCE,
        );
    }
    let state = golden["state"].as_object().unwrap();
    assert_eq!(tuning.entries().count(), state.len());
    for entry in tuning.entries() {
        let golden = &state[&entry.name];
        let values = entry.tensor.to_kind(Kind::Double).flatten(0, -1);
        let norm = values.norm().double_value(&[]);
        let expected = golden["l2"].as_f64().unwrap();
        assert_near(&entry.name, norm, expected, TOLERANCE);
        for (at, golden) in numbers(&golden["first4"]).into_iter().enumerate() {
            let apart = (values.double_value(&[at as i64]) - golden).abs();
            assert!(
                apart < TOLERANCE * expected.max(1.0),
                "{} {at}: {apart:e}",
                entry.name
            );
        }
    }
    let (unseen, _) = batch(modality, losses.len() as i64);
    let found = tuning
        .softmax(&unseen.views[&(modality.to_owned(), 1)])
        .unwrap();
    for (row, golden) in golden["softmax"].as_array().unwrap().iter().enumerate() {
        for (class, golden) in numbers(golden).into_iter().enumerate() {
            let found = found.double_value(&[row as i64, class as i64]);
            assert_near(
                &format!("{modality}, class {class} of {row}"),
                found,
                golden,
                TOLERANCE,
            );
        }
    }
}

#[test]
fn twenty_steps_of_finetuning_are_those_of_pytorch() {
    let golden = json("finetune.json");
    for modality in ["v", "a"] {
        compare(modality, &golden[modality]);
    }
}
