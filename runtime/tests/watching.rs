//! What is seen of a training while it lasts.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

mod small;

use runtime::data::batch::Batches;
use runtime::execute::Program;
use runtime::nn::Model;
use runtime::ranks::Ranks;
use runtime::train::{METRICS, gradients, groups, pretrain};
use runtime::watch::gauges::Gauges;
use small::{Waves, settings, work};
use std::sync::atomic::AtomicBool;
use tch::{Device, Kind};

#[test]
fn each_step_has_its_gradient_its_spread_and_its_memory() {
    let out = tempfile::tempdir().unwrap();
    pretrain(
        &work(settings()),
        &mut Waves { spoilt: None },
        Device::Cpu,
        out.path(),
        &mut |_, _| {},
        &AtomicBool::new(false),
    )
    .unwrap();
    let text = std::fs::read_to_string(out.path().join(METRICS)).unwrap();
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let groups = line["gradients"].as_object().unwrap();
        let names: Vec<&String> = groups.keys().collect();
        assert_eq!(names, ["a.f", "a.h", "v.f", "v.h"]);
        let squares: f64 = groups
            .values()
            .map(|norm| norm.as_f64().unwrap().powi(2))
            .sum();
        let all = line["gradient"].as_f64().unwrap();
        assert!(
            all > 0.0 && (all - squares.sqrt()).abs() < 1e-12 * all,
            "{line}"
        );
        for modality in ["v", "a"] {
            let spread = line["spread"][modality].as_f64().unwrap();
            assert!((0.0..1.5).contains(&spread), "{line}");
        }
        assert!(line["peak_memory"].as_u64().unwrap() > 1 << 20);
    }
}

/// Against the same worked out tensor by tensor.
#[test]
fn gauges_are_those_of_gradients_and_embeddings() {
    let work = work(settings());
    let program = Program::new(&work).unwrap();
    let model = Model::new(&work.settings, program.groups(), Device::Cpu).unwrap();
    let groups = groups(&work.settings, &model).unwrap();
    let batch = Waves { spoilt: None }.next(0).unwrap();
    let outputs = program.forward(&model, &batch, Device::Cpu).unwrap();
    let gradients = gradients(&outputs.objective, &groups).unwrap();
    let read = Gauges::of(&program, &outputs, &groups, &gradients, &Ranks::alone())
        .unwrap()
        .read()
        .unwrap();
    assert_eq!(read.loss, outputs.objective.double_value(&[]));
    let mut terms = program.terms(&outputs);
    for (name, value) in &read.terms {
        assert_eq!(terms.remove(name), Some(*value));
    }
    assert!(terms.is_empty() && read.is_finite());

    let mut rest = &gradients[..];
    for ((name, norm), (_, parameters)) in read.gradients.iter().zip(model.groups()) {
        let (own, others) = rest.split_at(parameters.len());
        rest = others;
        let square = |gradient: &tch::Tensor| {
            gradient
                .to_kind(Kind::Double)
                .square()
                .sum(None)
                .double_value(&[])
        };
        let wanted = own.iter().map(square).sum::<f64>().sqrt();
        assert!(
            (norm - wanted).abs() < 1e-5 * wanted,
            "{name}: {norm} is not {wanted}"
        );
    }

    for (modality, spread) in &read.spread {
        let views = ["1", "2"].map(|view| {
            let z = program
                .value(&outputs, &format!("z.{modality}{view}"))
                .unwrap();
            z.to_kind(Kind::Double).detach()
        });
        let z = tch::Tensor::cat(&views, 0); // [16, 32]
        let unit = &z / z.norm_scalaropt_dim(2, -1, true);
        let deviation = (unit.square().sum_dim_intlist(0, false, None)
            - unit.mean_dim(0, false, None).square() * 16.0)
            / 15.0;
        let wanted = deviation.sqrt().mean(None).double_value(&[]) * 32f64.sqrt();
        assert!(
            (spread - wanted).abs() < 1e-5,
            "{modality}: {spread} is not {wanted}"
        );
    }
    assert_eq!(read.spread.len(), 2);
}
