//! Training of small networks on closed-form input: what the loop promises beside its numbers.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

mod small;

use compiler::hir::{BatchNorm, Layer, Network, Precision, Pretrain};
use compiler::plan;
use runtime::checkpoint;
use runtime::data::batch::{Batch, Batches};
use runtime::error::{Error, Result};
use runtime::execute::Program;
use runtime::nn::{Backbone, Model};
use runtime::ranks::Ranks;
use runtime::train::{METRICS, TrainSummary, descend, groups};
use small::{Waves, every_pair, remembering, settings, train_until, work};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tch::{Device, Kind, Tensor};

fn train(settings: Pretrain, out: &Path) -> Result<TrainSummary> {
    train_until(&work(settings), &mut Waves { spoilt: None }, out, None)
}

/// The lines of the metrics in `out`.
fn metrics(out: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(out.join(METRICS)).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn equal_seeds_give_equal_bytes_and_the_metrics_say_what_happened() {
    let [a, b, c] = [(), (), ()].map(|()| tempfile::tempdir().unwrap());
    let summary = train(settings(), a.path()).unwrap();
    train(settings(), b.path()).unwrap();
    train(
        Pretrain {
            seed: 4,
            ..settings()
        },
        c.path(),
    )
    .unwrap();
    let bytes = |out: &Path| std::fs::read(out.join(checkpoint::FILE)).unwrap();
    assert!(bytes(a.path()) == bytes(b.path()) && bytes(a.path()) != bytes(c.path()));

    let lines = metrics(a.path());
    assert_eq!((summary.steps, lines.len()), (6, 6));
    assert_eq!(lines[5]["epoch"], 2);
    assert_eq!(summary.last_loss, lines[5]["loss"].as_f64());
    assert_eq!(lines[0]["terms"].as_object().unwrap().len(), 12);
    assert_eq!(lines[0]["data_wait"], 0.001);
    // Warm-up of one epoch of two steps: 0, then the base.
    let rates: Vec<_> = lines
        .iter()
        .map(|line| line["rates"]["v.f"].as_f64().unwrap())
        .collect();
    assert_eq!(rates[..3], [0.0, 0.001, 0.001]);
    assert!(lines.iter().all(|line| line["rates"]["a.h"] == 0.002));
    let losses: Vec<_> = lines
        .iter()
        .map(|line| line["loss"].as_f64().unwrap())
        .collect();
    assert!(losses[5] < losses[0], "{losses:?}");
}

/// What TensorBoard is shown: text, settings, pictures of graph and views, numbers. The records are read in the tests of `records`.
#[test]
fn an_event_file_lies_beside_the_metrics() {
    let out = tempfile::tempdir().unwrap();
    train(settings(), out.path()).unwrap();
    let file = std::fs::read(out.path().join("events.out.tfevents.0001")).unwrap();
    let has = |text: &str| file.windows(text.len()).any(|part| part == text.as_bytes());
    for text in [
        "experiment",
        "pretrain it {",
        "graph",
        "views/v1",
        "views/a2",
        "_hparams_/session_start_info",
        "_hparams_/session_end_info",
        "loss",
        "term/cos(p.v1,s.a2)",
        "rate/a.h",
        "speed/data_wait_s",
    ] {
        assert!(has(text), "{text}");
    }
}

#[test]
fn a_checkpoint_opens_as_the_backbone_of_an_evaluation() {
    let out = tempfile::tempdir().unwrap();
    train(settings(), out.path()).unwrap();
    let file = out.path().join(checkpoint::FILE);
    let (backbone, parameters) = Backbone::of_modality(&settings(), "v", Device::Cpu).unwrap();
    let x = Tensor::ones([1, 3, 4, 32, 32], (Kind::Float, Device::Cpu));
    let before = backbone.conv5(&x);
    checkpoint::load(&file, parameters.entries()).unwrap();
    let after = backbone.conv5(&x);
    assert_eq!(after.size(), [1, 32, 1, 1, 1]);
    assert_ne!(before, after);
    assert!(!after.requires_grad());
    let wider = {
        let mut settings = settings();
        settings.modalities[0].f.layers[0] = Layer::R2plus1d {
            depth: 10,
            width: 8,
            strides: vec![],
        };
        Backbone::of_modality(&settings, "v", Device::Cpu)
            .unwrap()
            .1
    };
    let message = checkpoint::load(&file, wider.entries())
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("video_backbone.conv1.0.weight` is [4, 3, 3, 7, 7], not [8, 3, 3, 7, 7]"),
        "{message}"
    );
}

#[test]
fn without_epochs_the_first_values_are_kept_and_no_batch_is_asked_for() {
    struct Nothing;
    impl Batches for Nothing {
        fn next(&mut self, _: u64) -> Result<Batch> {
            panic!("a batch was asked for")
        }
    }
    let out = tempfile::tempdir().unwrap();
    let work = work(Pretrain {
        ep: 0,
        ..settings()
    });
    let summary = train_until(&work, &mut Nothing, out.path(), None).unwrap();
    assert_eq!((summary.steps, summary.last_loss), (0, None));
    let (_, saved) = Backbone::of_modality(&settings(), "a", Device::Cpu).unwrap();
    let (_, fresh) = Backbone::of_modality(&settings(), "a", Device::Cpu).unwrap();
    checkpoint::load(&out.path().join(checkpoint::FILE), saved.entries()).unwrap();
    assert!(
        saved
            .entries()
            .iter()
            .zip(fresh.entries())
            .all(|(a, b)| a.tensor == b.tensor)
    );
}

#[test]
fn a_loss_that_is_no_number_and_a_signal_stop_the_run_without_a_checkpoint() {
    let out = tempfile::tempdir().unwrap();
    let mut spoilt = Waves { spoilt: Some(2) };
    let error = train_until(&work(settings()), &mut spoilt, out.path(), None).unwrap_err();
    assert!(matches!(error, Error::NotFinite { step: 2, .. }), "{error}");
    let out = tempfile::tempdir().unwrap();
    let whole = &mut Waves { spoilt: None };
    let error = train_until(&work(settings()), whole, out.path(), Some(1)).unwrap_err();
    assert!(matches!(error, Error::Interrupted), "{error}");
    assert_eq!(metrics(out.path()).len(), 2);
    assert!(!out.path().join(checkpoint::FILE).exists());
}

#[test]
fn bfloat16_stays_finite_and_near_float32() {
    let losses = |precision, ep| {
        let out = tempfile::tempdir().unwrap();
        train(
            Pretrain {
                precision,
                ep,
                ..settings()
            },
            out.path(),
        )
        .unwrap();
        metrics(out.path())
            .iter()
            .map(|line| line["loss"].as_f64().unwrap())
            .collect::<Vec<_>>()
    };
    let (half, full) = (losses(Precision::Bf16, 2), losses(Precision::Fp32, 2));
    assert_ne!(half, full);
    // The first loss is that of equal weights: it differs by the rounding of activations alone.
    assert!((half[0] - full[0]).abs() < 0.02, "{} {}", half[0], full[0]);
    assert_eq!(
        losses(Precision::Amp, 2),
        full,
        "on the CPU mixed precision is float32"
    );
}

/// Twenty steps: distances are float32 whatever the networks compute in, and the scale of the loss leaves no trace. Weights that move
/// by 0.002 a step drift apart: at step 4 float16 was 0.022 off.
#[test]
fn half_precision_follows_float32_over_twenty_steps() {
    let lines = |precision| {
        let out = tempfile::tempdir().unwrap();
        let settings = Pretrain {
            precision,
            ep: 10,
            ..settings()
        };
        train(settings, out.path()).unwrap();
        metrics(out.path())
    };
    let losses = |lines: &[serde_json::Value]| -> Vec<f64> {
        lines
            .iter()
            .map(|line| line["loss"].as_f64().unwrap())
            .collect()
    };
    let full = losses(&lines(Precision::Fp32));
    assert_eq!(full.len(), 20);
    for (precision, bound) in [(Precision::Bf16, 0.06), (Precision::Fp16, 0.06)] {
        let lines = lines(precision);
        let half = losses(&lines);
        for (step, (half, full)) in half.iter().zip(&full).enumerate() {
            assert!(
                (half - full).abs() < bound,
                "{precision:?} {step}: {half} {full}"
            );
        }
        let scale = lines[19]["scale"].as_f64();
        assert_eq!(scale.is_some(), precision == Precision::Fp16);
        assert!(
            lines
                .iter()
                .all(|line| line["gradient"].is_f64() || scale.is_some())
        );
    }
}

#[test]
fn running_statistics_move_once_per_call() {
    for (bn, calls) in [(BatchNorm::PerView, 2), (BatchNorm::Joint, 1)] {
        let work = work(Pretrain { bn, ..settings() });
        let program = Program::new(&work).unwrap();
        let model = Model::new(&work.settings, program.groups(), Device::Cpu).unwrap();
        let batch = Waves { spoilt: None }.next(0).unwrap();
        program.forward(&model, &batch, Device::Cpu).unwrap();
        let counters: Vec<_> = model
            .entries()
            .filter(|entry| entry.name.ends_with("num_batches_tracked"))
            .collect();
        assert!(!counters.is_empty());
        assert!(
            counters
                .iter()
                .all(|entry| entry.tensor.int64_value(&[]) == calls),
            "{bn:?}"
        );
    }
}

#[test]
fn the_order_of_a_plan_does_not_change_what_is_computed() {
    let forwards = work(settings());
    // The same graph with the steps of each depth listed the other way round.
    let mut order: Vec<_> = (0..forwards.steps.len()).collect();
    let mut depths: Vec<usize> = vec![];
    for step in forwards.steps.iter() {
        depths.push(
            step.inputs
                .iter()
                .map(|&input| depths[input] + 1)
                .max()
                .unwrap_or(0),
        );
    }
    order.sort_by_key(|&step| (depths[step], std::cmp::Reverse(step)));
    let place = |step: usize| order.iter().position(|&other| other == step).unwrap();
    let moved = |&step: &usize| {
        let step = &forwards.steps[step];
        plan::Step {
            inputs: step.inputs.iter().map(|&input| place(input)).collect(),
            ..step.clone()
        }
    };
    let backwards = plan::Pretrain {
        steps: Arc::new(order.iter().map(moved).collect()),
        ..forwards.clone()
    };
    assert_ne!(forwards.steps, backwards.steps);
    let run = |work: &plan::Pretrain| {
        let program = Program::new(work).unwrap();
        let model = Model::new(&work.settings, program.groups(), Device::Cpu).unwrap();
        program
            .forward(
                &model,
                &Waves { spoilt: None }.next(0).unwrap(),
                Device::Cpu,
            )
            .unwrap();
        model
            .entries()
            .map(|entry| entry.tensor.copy())
            .collect::<Vec<_>>()
    };
    assert!(run(&forwards) == run(&backwards));
}

#[test]
fn a_network_that_is_the_same_as_another_has_no_parameters_of_its_own() {
    let mut settings = settings();
    let shared = settings.modalities[0].h.clone().unwrap();
    settings.modalities[1].h = Some(Network {
        same: Some("v.h".to_owned()),
        ..shared
    });
    settings.loss = every_pair(["v.h", "v.h"]);
    let work = work(settings);
    let program = Program::new(&work).unwrap();
    assert_eq!(
        program.groups().into_iter().collect::<Vec<_>>(),
        ["a.f", "v.f", "v.h"]
    );
    let model = Model::new(&work.settings, program.groups(), Device::Cpu).unwrap();
    let batch = Waves { spoilt: None }.next(0).unwrap();
    program.forward(&model, &batch, Device::Cpu).unwrap();
    let calls = model
        .entries()
        .find(|entry| entry.name == "video_predictor.layer1.1.num_batches_tracked");
    assert_eq!(calls.unwrap().tensor.int64_value(&[]), 4);
    assert!(
        !model
            .entries()
            .any(|entry| entry.name.starts_with("audio_predictor"))
    );
}

#[test]
fn a_plan_that_does_not_fit_together_is_refused() {
    let mut reversed = work(settings());
    Arc::make_mut(&mut reversed.steps).reverse();
    let message = Program::new(&reversed).unwrap_err().to_string();
    assert!(message.contains("reads what comes after it"), "{message}");
    let mut short = work(settings());
    Arc::make_mut(&mut short.steps).pop();
    assert!(
        Program::new(&short)
            .unwrap_err()
            .to_string()
            .contains("no sum of terms")
    );
}

/// What a loss remembers is that of before the step, and moves behind it: a copy by its share towards the parameters that it
/// follows, rows of a bank towards the mean of what their views have become.
#[test]
fn what_a_loss_remembers_moves_behind_the_step() {
    for bn in [BatchNorm::PerView, BatchNorm::Joint] {
        let work = work(Pretrain {
            loss: remembering(),
            bn,
            ..settings()
        });
        let program = Program::new(&work).unwrap();
        let place = (Device::Cpu, &Ranks::alone());
        let model = program.model(&work, place, 12).unwrap();
        let mut groups = groups(&work.settings, &model).unwrap();
        let named: Vec<&str> = groups.iter().map(|group| &group.name[..]).collect();
        assert_eq!(named, ["a.f", "linear12", "v.f", "v.h"]);
        // A linear layer goes at the rate of the network whose embeddings it takes.
        assert_eq!(groups[0].rates, groups[1].rates);
        let all = || -> BTreeMap<String, Tensor> {
            let entries = model.entries().chain(model.bank_entries());
            entries
                .map(|entry| (entry.name.clone(), entry.tensor.copy()))
                .collect()
        };
        let first = all();
        let weight = "video_backbone.conv1.0.weight";
        let copy = format!("ema.{weight}");
        assert_eq!(first[weight], first[&copy]);
        let batch = Waves { spoilt: None }.next(2).unwrap();
        let outputs = program.forward(&model, &batch, Device::Cpu).unwrap();
        assert!(outputs.objective.double_value(&[]).is_finite());
        descend(&outputs.objective, &mut groups, |_| 1e-3).unwrap();
        let stepped = all();
        assert_ne!(stepped["linear12.weight"], first["linear12.weight"]);
        assert_eq!(stepped[&copy], first[&copy]);
        let skip = Tensor::from_slice(&[1.0f32]);
        program
            .follow(&model, &outputs, &batch, 6, Some(&skip))
            .unwrap();
        assert_eq!(all(), stepped);
        program.follow(&model, &outputs, &batch, 6, None).unwrap();
        let moved = all();
        // Step 2 of 6: a third of the way from 1/2 to 1 by half a cosine.
        let share = 1.0 - 0.5 * (1.5 / 2.0);
        let wanted = &first[weight] * share + &stepped[weight] * (1.0 - share);
        let apart = (&moved[&copy] - wanted).abs().max().double_value(&[]);
        assert!(apart < 1e-7, "{apart}");

        let bank = "memory.0.25/v.f/v";
        let z = |view| {
            program
                .value(&outputs, &format!("z.v{view}"))
                .unwrap()
                .detach()
        };
        // The batch of step 2 begins with clip 2; clips 0 and 1 are not in it.
        let mean = (z(1) + z(2)) / 2.0;
        let rows = |of: &BTreeMap<String, Tensor>| of[bank].narrow(0, 2, 8);
        let wanted = rows(&first) * 0.25 + mean * 0.75;
        let apart = (rows(&moved) - wanted).abs().max().double_value(&[]);
        assert!(apart < 1e-6, "{apart}");
        assert_eq!(moved[bank].narrow(0, 0, 2), first[bank].narrow(0, 0, 2));
    }
}
