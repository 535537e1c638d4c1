//! Ten steps on parts of the batch against ten steps on the whole of it, in float64.

use super::small::{Waves, remembering, settings, work};
use super::together::{own_clips, together};
use compiler::hir::{BatchNorm, Optimiser, Precision, Pretrain};
use compiler::loss::{Embedding, EmbeddingOp, Loss, Term, TermOp};
use compiler::units::Exact;
use runtime::data::batch::{Batch, Batches};
use runtime::execute::Program;
use runtime::ranks::Ranks;
use runtime::train::{follow, gradients_on, groups};
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

const STEPS: u64 = 10;
/// Of each number, or of 1 where it is smaller.
const BOUND: f64 = 1e-9;

/// What ten steps leave: the losses and terms of each, and by name the tensors, with the gradients of the first step as `grad/N`.
#[derive(Debug)]
struct Course {
    losses: Vec<f64>,
    terms: Vec<BTreeMap<String, f64>>,
    tensors: BTreeMap<String, Vec<f64>>,
}

fn values(tensor: &Tensor) -> Vec<f64> {
    let flat = tensor.detach().to_kind(Kind::Double).flatten(0, -1);
    Vec::<f64>::try_from(flat).unwrap()
}

/// A batch of its own for each step, and of it the rows of this rank.
fn part(step: u64, ranks: &Ranks) -> Batch {
    let batch = Waves { spoilt: None }.next(step).unwrap();
    // The whole batch first: the last digits of a cosine depend on where in a tensor it stands.
    let changed = |view: &Tensor| {
        let whole = (view * (1e4 + step as f64)).cos();
        ranks.own_rows(&whole)
    };
    let views = batch.views.iter();
    Batch {
        views: views
            .map(|(key, view)| (key.clone(), changed(view)))
            .collect(),
        clips: own_clips(&batch.clips, ranks),
        ..batch
    }
}

fn course(settings: &Pretrain, rate: f64, ranks: &Ranks) -> Course {
    let work = work(settings.clone());
    let program = Program::new(&work).unwrap();
    let model = program.model(&work, (Device::Cpu, ranks), 12).unwrap();
    let mut groups = groups(&work.settings, &model).unwrap();
    let mut descent = gradients_on(&groups, ranks).unwrap();
    let (mut losses, mut terms, mut tensors) = (vec![], vec![], BTreeMap::new());
    for step in 0..STEPS {
        let batch = part(step, ranks);
        let outputs = program.forward(&model, &batch, Device::Cpu).unwrap();
        model.move_statistics().unwrap();
        losses.push(outputs.objective.double_value(&[]));
        terms.push(program.terms(&outputs));
        let gradients = descent.of(&outputs.objective).unwrap();
        if step == 0 {
            let defined = gradients.iter().enumerate().filter(|(_, of)| of.defined());
            tensors.extend(defined.map(|(at, of)| (format!("grad/{at}"), values(of))));
        }
        follow(&gradients, &mut groups, None, |group| {
            if group.name.ends_with('f') {
                rate
            } else {
                2.0 * rate
            }
        })
        .unwrap();
        program
            .follow(&model, &outputs, &batch, STEPS, None)
            .unwrap();
    }
    let entries = model.entries().chain(model.bank_entries());
    tensors.extend(entries.map(|entry| (entry.name.clone(), values(&entry.tensor))));
    Course {
        losses,
        terms,
        tensors,
    }
}

fn assert_near(what: &str, a: f64, b: f64) {
    assert!(
        (a - b).abs() <= BOUND * b.abs().max(1.0),
        "{what}: {a} is not {b}"
    );
}

/// Two and four ranks take the course of one. The rate is small enough that rounding does not grow on the way.
fn assert_one(settings: &Pretrain, rate: f64) -> Course {
    assert_one_on(&[2, 4], settings, rate)
}

/// The same on so many ranks.
fn assert_one_on(counts: &[usize], settings: &Pretrain, rate: f64) -> Course {
    let wanted = course(settings, rate, &Ranks::alone());
    for &count in counts {
        for (rank, found) in together(count, |ranks| course(settings, rate, ranks))
            .iter()
            .enumerate()
        {
            let place = format!("rank {rank} of {count}");
            for (step, (a, b)) in found.losses.iter().zip(&wanted.losses).enumerate() {
                assert_near(&format!("{place}, loss of step {step}"), *a, *b);
            }
            for (a, b) in found.terms.iter().zip(&wanted.terms) {
                assert!(a.keys().eq(b.keys()), "{place}");
                for (name, value) in a {
                    assert_near(&format!("{place}, {name}"), *value, b[name]);
                }
            }
            assert!(found.tensors.keys().eq(wanted.tensors.keys()), "{place}");
            for (name, values) in &found.tensors {
                for (a, b) in values.iter().zip(&wanted.tensors[name]) {
                    assert_near(&format!("{place}, {name}"), *a, *b);
                }
            }
        }
    }
    wanted
}

fn double(optim: Optimiser) -> Pretrain {
    Pretrain {
        precision: Precision::Fp64,
        optim,
        ..settings()
    }
}

fn adam() -> Optimiser {
    settings().optim
}

fn sgd() -> Optimiser {
    Optimiser::Sgd {
        mtm: Exact::new(9, 10),
        wd: Exact::new(1, 10_000),
    }
}

#[test]
fn cosines_with_adam() {
    let course = assert_one(&double(adam()), 1e-3);
    assert!(course.losses.windows(2).all(|pair| pair[0] != pair[1]));
    // The running statistics of a BatchNorm and the gradients were among what was compared.
    assert!(
        course
            .tensors
            .contains_key("video_backbone.conv1.1.running_var")
    );
    assert!(course.tensors.contains_key("grad/0"));
}

/// Targets that follow, balanced scores, and banks whose rows the ranks share.
#[test]
fn what_a_loss_remembers_with_adam() {
    let settings = Pretrain {
        loss: remembering(),
        ..double(adam())
    };
    let course = assert_one(&settings, 1e-3);
    for name in [
        "ema.video_backbone.conv1.0.weight",
        "linear12.weight",
        "memory.0.25/v.f/v",
    ] {
        assert!(course.tensors.contains_key(name), "{name}");
    }
}

/// Groups of four samples, of which each of two ranks has one.
#[test]
fn groups_of_samples_with_sgd() {
    let settings = Pretrain {
        bn_group: Some(4),
        ..double(sgd())
    };
    let grouped = assert_one_on(&[2], &settings, 1e-4);
    let whole = course(&double(sgd()), 1e-4, &Ranks::alone());
    assert!((grouped.losses[0] - whole.losses[0]).abs() > 1e-6);
}

#[test]
fn joint_statistics_with_larc_over_sgd() {
    let larc = Optimiser::Larc {
        inner: Box::new(sgd()),
        trust: Exact::new(1, 100),
    };
    assert_one(
        &Pretrain {
            bn: BatchNorm::Joint,
            ..double(larc)
        },
        1e-3,
    );
}

/// Terms that look across the batch beside one that does not, and a predictor that nothing reaches.
#[test]
fn terms_over_the_batch_with_sgd() {
    let z = |modality: &str, view| {
        let view = Embedding::View {
            modality: modality.to_owned(),
            view,
        };
        Embedding::Apply(EmbeddingOp::Encode(format!("{modality}.f")), Box::new(view))
    };
    let l2 = |x| Embedding::Apply(EmbeddingOp::L2, Box::new(x));
    let p = |x| Embedding::Apply(EmbeddingOp::Predict("v.h".to_owned()), Box::new(x));
    let info_nce = TermOp::InfoNce {
        t: Exact::new(1, 10),
        negatives: None,
    };
    let of = |op, args, weight| (Term { op, args }, weight);
    let mut terms = vec![
        of(
            info_nce,
            vec![l2(z("v", 1)), l2(z("a", 1))],
            Exact::whole(1),
        ),
        of(
            info_nce,
            vec![l2(z("a", 2)), l2(z("v", 2))],
            Exact::new(1, 2),
        ),
        of(TermOp::HingeStd, vec![z("v", 1)], Exact::whole(2)),
        of(TermOp::Cov, vec![z("v", 1)], Exact::new(1, 25)),
        of(
            TermOp::Mse,
            vec![p(z("v", 1)), z("a", 2)],
            Exact::new(1, 10),
        ),
    ];
    terms.sort();
    assert_one(
        &Pretrain {
            loss: Loss { terms },
            ..double(sgd())
        },
        1e-4,
    );
}
