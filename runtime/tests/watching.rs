//! What is seen of a training while it lasts.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

mod small;

use compiler::plan::{Stage, StageId, Work};
use records::folder::{Attempt, Claim, Context, Runs};
use records::record::Environment;
use runtime::data::batch::Batches;
use runtime::error::Error;
use runtime::execute::Program;
use runtime::nn::Model;
use runtime::nn::parameters::Entry;
use runtime::ranks::Ranks;
use runtime::train::{METRICS, gradients, groups};
use runtime::watch::gauges::Gauges;
use runtime::watch::{failure, replay};
use small::{Waves, settings, train_until, work};
use std::path::Path;
use std::sync::Mutex;
use tch::{Device, Kind};

#[test]
fn each_step_has_its_gradient_its_spread_and_its_memory() {
    let out = tempfile::tempdir().unwrap();
    let waves = &mut Waves { spoilt: None };
    train_until(&work(settings()), waves, out.path(), None).unwrap();
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

/// A run folder in a folder of runs, as a stage of a plan has it.
fn begun(runs: &Path, work: compiler::plan::Pretrain) -> Attempt {
    let stage = Stage {
        id: StageId("5".repeat(64)),
        label: "small:1 pretrain".to_owned(),
        work: Work::Pretrain(Box::new(work)),
    };
    let context = Context {
        plan: "6".repeat(64),
        toy: false,
        set: vec![],
        command: Some("crisscross run small.cc".to_owned()),
        code: "0.1.0".to_owned(),
        environment: Environment::default(),
    };
    match Runs::open(runs)
        .unwrap()
        .claim(&stage, &context, "")
        .unwrap()
    {
        Claim::Own(attempt) => *attempt,
        Claim::Made(_) | Claim::Held(_) => panic!("nobody else is there"),
    }
}

/// Looking for anomalies is a state of the process: no other step may be NaN meanwhile.
static ONE_BY_ONE: Mutex<()> = Mutex::new(());

#[test]
fn a_step_that_is_not_finite_is_kept_and_replayed() {
    let _alone = ONE_BY_ONE.lock();
    let runs = tempfile::tempdir().unwrap();
    let options = |anomaly| replay::Options {
        device: Device::Cpu,
        anomaly,
    };
    let fail = || {
        let work = work(settings());
        let attempt = begun(runs.path(), work.clone());
        let mut spoilt = Waves { spoilt: Some(2) };
        train_until(&work, &mut spoilt, attempt.path(), None).unwrap_err()
    };
    let error = fail();
    let folder = runs.path().join("failed-small-1-55555555-step2");
    let said = error.in_full();
    assert!(
        said.contains("the loss became NaN at step 2: the first such term is `cos(p.a1,s.a2)`")
            && said.contains(&format!("`crisscross replay {}`", folder.display())),
        "{said}"
    );
    let replayed = replay::failure(&folder, options(false)).unwrap();
    let text = replayed.lines.join("\n");
    assert!(replayed.is_reproduced, "{text}");
    for line in [
        "small:1 pretrain, step 2 on cpu; it failed on cpu",
        "loss             NaN, was NaN",
        "state before     finite; the largest value is ",
        "first bad node   a1: [8, 1, 32, 40] Float, 10240 of 10240 values NaN, 0 infinite; no value is finite",
        "reproduced: the same loss, the same first term and group",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let anomaly = replay::failure(&folder, options(true)).unwrap();
    let text = anomaly.lines.join("\n");
    assert!(text.contains("backwards        Function '"), "{text}");

    // The state is that before the step: the same step fails in the same way, and leaves the same folder.
    let step = std::fs::read(folder.join("step.safetensors")).unwrap();
    fail();
    assert!(std::fs::read(folder.join("step.safetensors")).unwrap() == step);
    drop(Runs::open(runs.path()).unwrap());
    let names = std::fs::read_dir(runs.path()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let (left, others): (Vec<_>, Vec<_>) = names.partition(|name| name.starts_with(".part-"));
    assert_eq!(others.len(), 2, "the kept step and the lock: {others:?}");
    assert!(
        left.iter()
            .all(|name| name.starts_with(".part-pretrain-small-1-")),
        "{left:?}"
    );

    std::fs::write(folder.join("step.safetensors"), &step[..step.len() - 1]).unwrap();
    let error = replay::failure(&folder, options(false)).unwrap_err();
    assert!(
        error.to_string().contains("no whole safetensors file"),
        "{error}"
    );
}

#[test]
fn a_step_that_is_finite_here_is_not_reproduced() {
    let _alone = ONE_BY_ONE.lock();
    let runs = tempfile::tempdir().unwrap();
    let work = work(settings());
    let attempt = begun(runs.path(), work.clone());
    let batch = Waves { spoilt: None }.next(0).unwrap();
    let model = Model::new(
        &work.settings,
        Program::new(&work).unwrap().groups(),
        Device::Cpu,
    )
    .unwrap();
    let mut state: Vec<Entry> = model.entries().map(Entry::shared).collect();
    for group in groups(&work.settings, &model).unwrap() {
        state.extend(group.entries());
    }
    let keep = |state: &[Entry]| {
        let error = Error::NotFinite {
            step: 0,
            value: f64::INFINITY,
            term: None,
            group: Some("v.f".to_owned()),
            replay: None,
        };
        failure::kept(
            error,
            attempt.path(),
            state,
            &batch,
            Device::Cpu,
            &Ranks::alone(),
        )
    };
    let error = keep(&state);
    assert!(
        error
            .to_string()
            .contains("the loss became inf at step 0, from terms that are finite"),
        "{error}"
    );
    let folder = runs.path().join("failed-small-1-55555555-step0");
    let options = replay::Options {
        device: Device::Cpu,
        anomaly: true,
    };
    let replayed = replay::failure(&folder, options).unwrap();
    let text = replayed.lines.join("\n");
    assert!(!replayed.is_reproduced);
    for line in [
        ", was inf",
        "forwards         the outputs of all nodes are finite",
        "backwards        no operation gave NaN",
        "not reproduced: loss and gradients are finite here; the loss was inf on cpu",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }

    // A parameter that has run away: the failure is another than that which was kept.
    let parameter = state
        .iter()
        .find(|entry| entry.name == "audio_backbone.conv1.0.weight");
    let parameter = parameter.unwrap();
    parameter.set(&parameter.tensor.full_like(3e38)).unwrap();
    keep(&state);
    let replayed = replay::failure(&folder, options).unwrap();
    let text = replayed.lines.join("\n");
    assert!(replayed.is_reproduced);
    for line in [
        "state before     finite; the largest value is 3.0000e38 in `audio_backbone.conv1.0.weight`",
        "first bad node   z.a1 by a.f: [8, 32] Float, ",
        "  which reads    a1: [8, 1, 32, 40] Float, from ",
        "  its map conv1  ",
        "reproduced in part: it is not finite again, but then the loss was inf, the first term none, the first group `v.f`",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}
