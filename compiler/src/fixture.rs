//! Closed experiments for the tests of this crate, built by hand.

use crate::hir::*;
use crate::loss::{Embedding, EmbeddingOp, Loss, Term, TermOp};
use crate::units::Exact;
use std::collections::BTreeMap;

/// The paper's default (Table S10, row KS) with this loss.
pub fn crisscross(loss: Loss) -> Pretrain {
    let cosine = Schedule::Cosine {
        from: Exact::new(1, 5000),
        to: Exact::whole(0),
        warmup: Exact::whole(2),
    };
    let network = |layers| Network { layers, same: None };
    let head = |widths: &[u32]| {
        let fc = |width: &u32| [Layer::Fc { width: *width }, Layer::Bn, Layer::Relu];
        widths.iter().flat_map(fc).collect::<Vec<_>>()
    };
    let projector = |backbone| {
        let mut layers = vec![backbone];
        layers.extend(head(&[2048, 2048, 2048]));
        layers.pop();
        network(layers)
    };
    let mut predictor = head(&[512]);
    predictor.push(Layer::Fc { width: 2048 });
    let v = Modality {
        name: "v".to_owned(),
        clip: Clip::Video {
            frames: 8,
            size: 112,
            fps: Exact::whole(16),
        },
        augment: Chain {
            per_frame: false,
            links: vec![Link::HorizontalFlip {
                p: Exact::new(1, 2),
            }],
        },
        f: projector(Layer::R2plus1d {
            depth: 18,
            width: 64,
            strides: vec![],
        }),
        h: Some(network(predictor.clone())),
        lr_b: cosine.clone(),
        lr_p: Schedule::Constant(Exact::new(1, 500)),
    };
    let mel = LogMel {
        bands: 80,
        hop: 160,
        fft: 1024,
        centre: false,
    };
    let a = Modality {
        name: "a".to_owned(),
        clip: Clip::Audio {
            samples: 32_000,
            rate: Exact::whole(16_000),
            mel,
        },
        augment: Chain {
            per_frame: false,
            links: vec![Link::VolumeJitter {
                range: Exact::new(1, 5),
            }],
        },
        f: projector(Layer::Resnet {
            depth: 18,
            width: 64,
            channels: 1,
            strides: vec![],
        }),
        h: Some(network(predictor)),
        lr_b: cosine,
        lr_p: Schedule::Constant(Exact::new(1, 500)),
    };
    Pretrain {
        data: Data::Videos(Files {
            name: "KS".to_owned(),
            train: 22_000,
            classes: 32,
            requires: vec!["v".to_owned(), "a".to_owned()],
            splits: 1,
            short: Short::Skip,
            label: "class".to_owned(),
            length: None,
            longer: None,
        }),
        modalities: vec![v, a],
        views: 2,
        loss,
        relax: Relaxation {
            within: Within::Overlap {
                share: Exact::new(1, 2),
                of: None,
            },
            across: Across::Inside,
            same: vec![],
        },
        bn: BatchNorm::PerView,
        bn_group: None,
        bs: 512,
        es: 220_000,
        ep: 100,
        optim: Optimiser::Adam {
            betas: (Exact::new(9, 10), Exact::new(999, 1000)),
            wd: Exact::new(1, 10_000),
        },
        precision: Precision::Amp,
        seed: 0,
    }
}

/// `pair` of equation 1 for each of `pairs`, `v1a2`, all with equal weights that sum to one.
pub fn pairs(pairs: &[&str]) -> Loss {
    let weight = Exact::new(-1, 2 * pairs.len() as i128);
    let directed = pairs.iter().flat_map(|pair| {
        let (x, y) = pair.split_at(2);
        [
            cos(predicted(x), sg(encoded(y))),
            cos(predicted(y), sg(encoded(x))),
        ]
    });
    weighted(directed.map(|term| (term, weight)))
}

/// The normal form of these terms.
pub fn weighted(terms: impl IntoIterator<Item = (Term, Exact)>) -> Loss {
    let sorted: BTreeMap<Term, Exact> = terms.into_iter().collect();
    Loss {
        terms: sorted.into_iter().collect(),
    }
}

/// `cos(x, y)`; the arguments of a symmetric operator are sorted.
pub fn cos(x: Embedding, y: Embedding) -> Term {
    let mut args = vec![x, y];
    args.sort();
    Term {
        op: TermOp::Cos,
        args,
    }
}

/// `v[1]` of `v1`.
pub fn view(name: &str) -> Embedding {
    Embedding::View {
        modality: name[..1].to_owned(),
        view: name[1..].parse().unwrap(),
    }
}

/// `z(v[1])`.
pub fn encoded(name: &str) -> Embedding {
    Embedding::Apply(
        EmbeddingOp::Encode(format!("{}.f", &name[..1])),
        Box::new(view(name)),
    )
}

/// `p(v[1])`.
pub fn predicted(name: &str) -> Embedding {
    Embedding::Apply(
        EmbeddingOp::Predict(format!("{}.h", &name[..1])),
        Box::new(encoded(name)),
    )
}

/// `sg(x)`.
pub fn sg(x: Embedding) -> Embedding {
    Embedding::Apply(EmbeddingOp::StopGradient, Box::new(x))
}

/// `l2(x)`.
pub fn l2(x: Embedding) -> Embedding {
    Embedding::Apply(EmbeddingOp::L2, Box::new(x))
}

/// The pairs of `intra + sync + async`.
pub const ALL: [&str; 6] = ["v1v2", "a1a2", "v1a1", "v2a2", "v1a2", "v2a1"];
