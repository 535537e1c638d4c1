//! The passes that are asked for by name, executed: each gives the losses, gradients and running statistics of the plain step.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

mod small;

use compiler::hir::{BatchNorm, Fill, Link, Precision, Pretrain, Widths};
use compiler::passes::{Pass, build_with, selection};
use compiler::plan;
use compiler::units::Exact;
use runtime::data::batch::{Batch, Batches};
use runtime::data::loader::{Loader, Options, Part};
use runtime::execute::Program;
use runtime::nn::Model;
use small::{Waves, settings};
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

/// The step of `settings` with these passes beside the default ones.
fn work(settings: &Pretrain, also: &[Pass]) -> plan::Pretrain {
    let steps = build_with(settings, &selection(also)).0.steps();
    plan::Pretrain {
        settings: settings.clone().into(),
        steps: steps.into(),
        keep: vec![],
    }
}

/// What a step computes and leaves behind.
struct Outcome {
    terms: BTreeMap<String, f64>,
    objective: f64,
    /// Gradients of the parameters.
    gradients: Vec<Tensor>,
    /// Running statistics after the step, and the parameters.
    entries: Vec<(String, Tensor)>,
}

fn outcome(work: &plan::Pretrain, batch: &Batch) -> Outcome {
    let program = Program::new(work).unwrap();
    let model = Model::new(&work.settings, program.groups(), Device::Cpu).unwrap();
    let outputs = program.forward(&model, batch, Device::Cpu).unwrap();
    let parameters: Vec<Tensor> = model.groups().flat_map(|(_, learned)| learned).collect();
    let gradients =
        Tensor::f_run_backward(&[&outputs.objective], &parameters, false, false).unwrap();
    let entries = model.entries();
    Outcome {
        terms: program.terms(&outputs),
        objective: outputs.objective.double_value(&[]),
        gradients,
        entries: entries
            .map(|entry| (entry.name.clone(), entry.tensor.copy()))
            .collect(),
    }
}

/// How far two tensors are apart, as a share of the larger of 1 and the first's largest entry.
fn apart(x: &Tensor, y: &Tensor) -> f64 {
    let (x, y) = (x.to_kind(Kind::Double), y.to_kind(Kind::Double));
    let size = x.abs().max().double_value(&[]).max(1.0);
    (x - y).abs().max().double_value(&[]) / size
}

fn assert_same(what: &str, plain: &Outcome, other: &Outcome, bound: f64) {
    let names = |outcome: &Outcome| outcome.terms.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(plain), names(other), "{what}");
    assert_eq!(plain.terms.len(), 12);
    for (name, value) in &plain.terms {
        let difference = (value - other.terms[name]).abs();
        assert!(difference < bound, "{what}: {name} is {difference} apart");
    }
    assert!(
        (plain.objective - other.objective).abs() < bound,
        "{what}: {} became {}",
        plain.objective,
        other.objective
    );
    assert!(plain.objective.abs() > 1e-3);
    assert_eq!(plain.gradients.len(), other.gradients.len());
    let largest = plain
        .gradients
        .iter()
        .map(|g| g.abs().max().double_value(&[]));
    assert!(largest.fold(0.0, f64::max) > 1e-3, "there are gradients");
    for (x, y) in plain.gradients.iter().zip(&other.gradients) {
        assert!(
            apart(x, y) < bound,
            "{what}: a gradient is {} apart",
            apart(x, y)
        );
    }
    for ((name, x), (_, y)) in plain.entries.iter().zip(&other.entries) {
        assert!(
            apart(x, y) < bound,
            "{what}: {name} is {} apart",
            apart(x, y)
        );
    }
}

#[test]
fn joined_views_and_fused_terms_compute_what_the_plain_step_does() {
    for bn in [BatchNorm::PerView, BatchNorm::Joint] {
        let settings = Pretrain {
            bn,
            precision: Precision::Fp64,
            ..settings()
        };
        let batch = Waves { spoilt: None }.next(0).unwrap();
        let plain = outcome(&work(&settings, &[]), &batch);
        for also in [
            &[Pass::BatchViews][..],
            &[Pass::FuseTerms],
            &[Pass::BatchViews, Pass::FuseTerms],
        ] {
            let other = outcome(&work(&settings, also), &batch);
            assert_same(&format!("{bn:?} {also:?}"), &plain, &other, 1e-9);
        }
    }
}

/// The two ways to see BatchNorm are two experiments, joined or not.
#[test]
fn joint_statistics_are_another_experiment() {
    let batch = Waves { spoilt: None }.next(0).unwrap();
    let [per_view, joint] = [BatchNorm::PerView, BatchNorm::Joint].map(|bn| {
        let settings = Pretrain { bn, ..settings() };
        outcome(&work(&settings, &[Pass::BatchViews]), &batch).objective
    });
    assert!((per_view - joint).abs() > 1e-6, "{per_view} {joint}");
}

/// Chains with a link in front of the conversion and behind it, and for frames two that can move.
fn augmented() -> Pretrain {
    let mut settings = settings();
    settings.precision = Precision::Fp64;
    settings.modalities[0].augment.links = vec![
        Link::MultiScaleCrop {
            min_area: Exact::new(1, 5),
        },
        Link::HorizontalFlip {
            p: Exact::new(1, 2),
        },
        Link::Cutout {
            max: 8,
            count: 1,
            fill: Fill::FirstFrameMean,
        },
    ];
    settings.modalities[1].augment.links = vec![
        Link::VolumeJitter {
            range: Exact::new(1, 5),
        },
        Link::FreqMask {
            max: 8,
            count: 2,
            widths: Widths::default(),
        },
    ];
    settings
}

/// The first batch of synthetic clips for this step.
fn loaded(work: &plan::Pretrain) -> Batch {
    let source = runtime::data::open(&work.settings.data, &Default::default(), 1).unwrap();
    let options = Options {
        threads: 2,
        ahead: 1,
        max_bad_share: 0.0,
        first_step: 0,
        part: Part::WHOLE,
        augment_on: None,
    };
    Loader::new(source, work, &options)
        .unwrap()
        .next(0)
        .unwrap()
}

/// What moves behind the batch draws the same numbers there: the loader hands out waves and cut frames, the step does the rest.
#[test]
fn moved_links_make_the_same_views() {
    let settings = augmented();
    let (plain, moved) = (work(&settings, &[]), work(&settings, &[Pass::MoveDomain]));
    let (whole, begun) = (loaded(&plain), loaded(&moved));
    let sound = ("a".to_owned(), 1);
    assert_eq!(whole.views[&sound].size(), [8, 1, 32, 40]);
    assert_eq!(begun.views[&sound].size(), [8, 6_400]);
    let (plain, moved) = (outcome(&plain, &whole), outcome(&moved, &begun));
    // The views are float32: a product of a batch may round its last digit otherwise than eight single ones.
    assert_same("move_domain", &plain, &moved, 1e-5);
}
