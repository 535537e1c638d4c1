//! A small experiment and closed-form input for it.

#![allow(dead_code)] // each test file uses a part of this

use compiler::hir::{
    Across, BatchNorm, Chain, Clip, Data, Layer, LogMel, Modality, Network, Optimiser, Precision,
    Pretrain, Relaxation, Schedule, Synthetic, Within,
};
use compiler::loss::{Embedding, EmbeddingOp, Loss, Term, TermOp};
use compiler::plan::StageId;
use compiler::units::Exact;
use compiler::{passes, plan};
use runtime::augment::Key;
use runtime::data::batch::{Batch, Batches, Clips};
use runtime::error::{Error, Result};
use runtime::ranks::Ranks;
use runtime::train::{Course, Observer, Options, Place, StepMetrics, TrainSummary, pretrain};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tch::{Device, Kind, Tensor};

/// Narrow networks with the paper's heads in small, `intra + sync + async`, three epochs of two steps.
pub fn settings() -> Pretrain {
    let fc = |width| Layer::Fc { width };
    let projector = [fc(32), Layer::Bn, Layer::Relu, fc(32), Layer::Bn];
    let predictor = vec![fc(8), Layer::Bn, Layer::Relu, fc(32)];
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
            layers: predictor.clone(),
            same: None,
        }),
        lr_b: Schedule::Cosine {
            from: Exact::new(1, 1_000),
            to: Exact::whole(0),
            warmup: Exact::whole(1),
        },
        lr_p: Schedule::Constant(Exact::new(2, 1_000)),
    };
    let video = Clip::Video {
        frames: 4,
        size: 32,
        fps: Exact::whole(16),
    };
    let mel = LogMel {
        bands: 32,
        hop: 160,
        fft: 1024,
        centre: false,
    };
    let audio = Clip::Audio {
        samples: 6_400,
        rate: Exact::whole(16_000),
        mel,
    };
    Pretrain {
        data: Data::Synthetic(Synthetic {
            clips: 8,
            classes: 2,
            length: Exact::whole(1),
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
                    depth: 10,
                    width: 4,
                    strides: vec![],
                },
            ),
            modality(
                "a",
                audio,
                Layer::Resnet {
                    depth: 10,
                    width: 4,
                    channels: 1,
                    strides: vec![],
                },
            ),
        ],
        views: 2,
        loss: every_pair(["v.h", "a.h"]),
        relax: Relaxation {
            within: Within::Same,
            across: Across::Inside,
            same: vec![],
        },
        bn: BatchNorm::PerView,
        bn_group: None,
        bs: 8,
        es: 16,
        ep: 3,
        optim: Optimiser::Adam {
            betas: (Exact::new(9, 10), Exact::new(999, 1_000)),
            wd: Exact::new(1, 10_000),
        },
        precision: Precision::Fp32,
        seed: 3,
    }
}

/// The mean over the six pairs of the four views, each both ways, with these predictors.
pub fn every_pair([vh, ah]: [&str; 2]) -> Loss {
    let view = |modality: &str, view| Embedding::View {
        modality: modality.to_owned(),
        view,
    };
    let views = [
        ("v.f", vh, "v", 1),
        ("v.f", vh, "v", 2),
        ("a.f", ah, "a", 1),
        ("a.f", ah, "a", 2),
    ];
    let apply = |op, x| Embedding::Apply(op, Box::new(x));
    let z = |(f, _, m, i): &(&str, &str, &str, u32)| {
        apply(EmbeddingOp::Encode((*f).to_owned()), view(m, *i))
    };
    let p = |x: &(&str, &str, &str, u32)| apply(EmbeddingOp::Predict(x.1.to_owned()), z(x));
    let pairs = views
        .iter()
        .flat_map(|x| views.iter().filter(move |y| *y != x).map(move |y| (x, y)));
    let term = |(x, y)| {
        let args = vec![p(x), apply(EmbeddingOp::StopGradient, z(y))];
        (
            Term {
                op: TermOp::Cos,
                args,
            },
            Exact::new(-1, 12),
        )
    };
    let mut terms: Vec<_> = pairs.map(term).collect();
    terms.sort();
    Loss { terms }
}

/// A loss whose step remembers something: targets that follow `v.f` and `v.h`, prototypes with balanced targets for sound, and a bank
/// for each modality whose rows are the positives and the negatives of the other.
pub fn remembering() -> Loss {
    let apply = |op, x| Embedding::Apply(op, Box::new(x));
    let z = |modality: &str, view| {
        let of = Embedding::View {
            modality: modality.to_owned(),
            view,
        };
        apply(EmbeddingOp::Encode(format!("{modality}.f")), of)
    };
    let l2 = |x| apply(EmbeddingOp::L2, x);
    let sg = |x| apply(EmbeddingOp::StopGradient, x);
    let decay = (Exact::new(1, 2), Exact::whole(1));
    let target = |view| {
        let of = Embedding::View {
            modality: "v".to_owned(),
            view,
        };
        let copy = |group: &str, x| {
            let group = group.to_owned();
            apply(EmbeddingOp::Ema { group, decay }, x)
        };
        copy("v.h", copy("v.f", of))
    };
    let p = |view| apply(EmbeddingOp::Predict("v.h".to_owned()), z("v", view));
    let protos = |view| apply(EmbeddingOp::Linear(12), l2(z("a", view)));
    let scores = |view| apply(EmbeddingOp::Scale(Exact::whole(10)), protos(view));
    let eps = Exact::new(1, 20);
    let shares = |view| sg(apply(EmbeddingOp::Sinkhorn { eps }, protos(view)));
    let momentum = Exact::new(1, 4);
    let bank = |m, view| l2(apply(EmbeddingOp::Memory { momentum }, z(m, view)));
    let nce = TermOp::InfoNce {
        t: Exact::new(7, 100),
        negatives: Some(5),
    };
    let term = |op, args| (Term::new(op, args), Exact::new(1, 2));
    let mut terms = vec![
        term(TermOp::Mse, vec![l2(p(1)), sg(l2(target(2)))]),
        term(TermOp::Mse, vec![l2(p(2)), sg(l2(target(1)))]),
        term(TermOp::Xent, vec![scores(1), shares(2)]),
        term(TermOp::Xent, vec![scores(2), shares(1)]),
        term(nce, vec![l2(z("v", 1)), bank("a", 1)]),
        term(nce, vec![l2(z("a", 1)), bank("v", 1)]),
        term(nce, vec![l2(z("a", 2)), bank("v", 2)]),
    ];
    terms.sort();
    Loss { terms }
}

/// On the CPU, with the twelve clips of [`Waves`].
pub fn place(ranks: &Ranks) -> Place<'_> {
    Place {
        device: Device::Cpu,
        ranks,
        clips: 12,
        micro_batch: None,
    }
}

pub fn work(settings: Pretrain) -> plan::Pretrain {
    let steps = passes::build(&settings).0.steps();
    plan::Pretrain {
        settings: settings.into(),
        steps: steps.into(),
        keep: vec![],
    }
}

/// A training alone from where `out` has it, as far as the step `until`, with a resume point after each step.
pub fn train_until(
    work: &plan::Pretrain,
    batches: &mut dyn Batches,
    out: &Path,
    until: Option<u64>,
) -> Result<TrainSummary> {
    let mut watching = Watching {
        until,
        ..Watching::default()
    };
    train_watched(work, batches, out, &mut watching)
}

/// A training alone from where `out` has it.
pub fn train_watched(
    work: &plan::Pretrain,
    batches: &mut dyn Batches,
    out: &Path,
    watching: &mut Watching,
) -> Result<TrainSummary> {
    let id = StageId("0".repeat(64));
    let alone = Ranks::alone();
    let course = Course::take_up(("small", &id), work, place(&alone), out, watching)?;
    let mut courses = [course];
    go_on(&mut courses, batches, watching)?;
    let [course] = courses;
    course.finish(Some(batches))
}

/// The steps of `courses`, with a resume point after each.
pub fn go_on(
    courses: &mut [Course<'_>],
    batches: &mut dyn Batches,
    watching: &mut Watching,
) -> Result<()> {
    let stop = Arc::clone(&watching.stop);
    let options = Options {
        device: Device::Cpu,
        save_every: match watching.is_short {
            true => Duration::MAX,
            false => Duration::ZERO,
        },
        stop: &stop,
        ranks: &Ranks::alone(),
        pause_before: watching.pause_before,
        reads_late: watching.reads_late,
    };
    pretrain(courses, batches, &options, watching)
}

/// Remembers what is said, and stops the trainings after the step `until`.
#[derive(Default)]
pub struct Watching {
    pub stop: Arc<AtomicBool>,
    pub until: Option<u64>,
    /// The step before which they stop.
    pub pause_before: Option<u64>,
    /// No resume points on the way.
    pub is_short: bool,
    /// The numbers of a step are read once the next one is on its way.
    pub reads_late: bool,
    pub said: Vec<String>,
}

impl Observer for Watching {
    fn step(&mut self, lines: &[(String, StepMetrics)], _: u64) {
        if lines.iter().any(|(_, line)| Some(line.step) == self.until) {
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    fn say(&mut self, line: &str) {
        self.said.push(line.to_owned());
    }

    fn failed(&mut self, name: &str, error: &Error) {
        self.said.push(format!("{name} failed: {error}"));
    }
}

/// The same batch in every step; `spoilt` is the step whose first view is not a number.
pub struct Waves {
    pub spoilt: Option<u64>,
}

impl Batches for Waves {
    fn next(&mut self, step: u64) -> Result<Batch> {
        let view = |modality: &str, i: u32, shape: &[i64]| {
            let count = shape.iter().product::<i64>();
            let x =
                Tensor::arange(count, (Kind::Float, Device::Cpu)) * (0.37 + 0.01 * f64::from(i));
            let factor = if self.spoilt == Some(step) && i == 1 {
                f64::NAN
            } else {
                1.0
            };
            ((modality.to_owned(), i), x.sin().view(shape) * factor)
        };
        let (v, a) = ([8, 3, 4, 32, 32], [8, 1, 32, 40]);
        let views = [
            view("v", 1, &v),
            view("v", 2, &v),
            view("a", 1, &a),
            view("a", 2, &a),
        ];
        Ok(Batch {
            views: views.into(),
            keys: (0..8).map(|sample| Key::new(0, sample, step)).collect(),
            clips: Clips {
                // Another eight of the twelve in each step.
                own: (0..8).map(|at| (at + step as u32) % 12).collect(),
                all: (0..12).collect(),
            },
            overlaps: runtime::data::overlaps::Overlaps::default(),
            step,
            waited: Duration::from_millis(1),
            queued: 8,
        })
    }
}
