//! What the tests of this folder share: small experiments, and data sets made of the repository's clips.

use compiler::graph::Node;
use compiler::hir::{
    Across, BatchNorm, Chain, Clip, Clips, Data, Eval, Files, Finetune, Head, Keep, Link, LogMel,
    Modality, Network, Optimiser, Pool, Precision, Pretrain, Relaxation, Schedule, Score, Short,
    Synthetic, Within,
};
use compiler::loss::Loss;
use compiler::plan::{self, Step};
use compiler::units::Exact;
use records::site::{DataRoot, Site};
use std::path::{Path, PathBuf};

/// The repository's clips.
pub fn clips() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clips")
}

/// A WAV file of these samples, 32-bit floats at 16 kHz.
pub fn float_wav(samples: &[f32]) -> Vec<u8> {
    let bytes = 4 * samples.len() as u32;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + bytes).to_le_bytes());
    file.extend(b"WAVEfmt ");
    // Sixteen bytes of format: floats, one channel, samples and bytes per second, bytes and bits of a sample.
    for (value, width) in [
        (16u32, 4),
        (3, 2),
        (1, 2),
        (16_000, 4),
        (64_000, 4),
        (4, 2),
        (32, 2),
    ] {
        file.extend(&value.to_le_bytes()[..width]);
    }
    file.extend(b"data");
    file.extend(bytes.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

/// A modality without networks.
pub fn modality(name: &str, clip: Clip, links: Vec<Link>) -> Modality {
    let rate = Schedule::Constant(Exact::whole(0));
    let augment = Chain {
        per_frame: false,
        links,
    };
    let f = Network {
        layers: Vec::new(),
        same: None,
    };
    Modality {
        name: name.to_owned(),
        clip,
        augment,
        f,
        h: None,
        lr_b: rate.clone(),
        lr_p: rate,
    }
}

/// Pictures of `frames` at 16 fps.
pub fn video(frames: u32, size: u32) -> Clip {
    Clip::Video {
        frames,
        size,
        fps: Exact::whole(16),
    }
}

/// Sound at 16 kHz.
pub fn audio(samples: u32) -> Clip {
    let mel = LogMel {
        bands: 80,
        hop: 160,
        fft: 1024,
        centre: true,
    };
    Clip::Audio {
        samples,
        rate: Exact::whole(16_000),
        mel,
    }
}

/// `overlap(percent)` of each clip.
pub fn overlap(percent: i128) -> Within {
    Within::Overlap {
        share: Exact::new(percent, 100),
        of: None,
    }
}

/// A data set of this name.
pub fn files(name: &str, classes: u32, splits: u32) -> Files {
    let (requires, label) = (Vec::new(), "label".to_owned());
    Files {
        name: name.to_owned(),
        train: 0,
        classes,
        requires,
        splits,
        short: Short::Skip,
        label,
        length: None,
        longer: None,
    }
}

/// A site where the data set `name` lies at `root`.
pub fn site(name: &str, root: PathBuf, csv: Option<&str>) -> Site {
    let root = DataRoot {
        root,
        csv: csv.map(PathBuf::from),
        ..DataRoot::default()
    };
    Site {
        data: [(name.to_owned(), root)].into(),
        ..Site::default()
    }
}

/// A pretraining on eight rendered clips.
pub fn rendered() -> plan::Pretrain {
    let clips = Synthetic {
        clips: 8,
        classes: 8,
        length: Exact::whole(4),
        lag: Exact::new(3, 10),
        seed: 1,
        streams: vec!["v".to_owned(), "a".to_owned()],
        splits: 0,
    };
    mild(Data::Synthetic(clips), 4, 8, 1)
}

/// A finetuning on pictures of [`rendered`] clips, scored after its last epoch.
pub fn finetuning(train: Clips, bs: u32, es: u64, ep: u32) -> (Eval, Finetune) {
    let recipe = Finetune {
        pool: Pool::AdaptiveMax,
        drp: Exact::whole(0),
        bs,
        es,
        ep,
        optim: Optimiser::Sgd {
            mtm: Exact::new(9, 10),
            wd: Exact::whole(0),
        },
        lr: Schedule::Constant(Exact::new(1, 100)),
        keep: Keep::Last,
    };
    let flip = Link::HorizontalFlip {
        p: Exact::new(1, 2),
    };
    let eval = Eval {
        data: rendered().settings.data.clone(),
        uses: "v".to_owned(),
        clip: video(4, 32),
        train,
        test: Clips::Uniform(2),
        augment: modality("v", video(4, 32), vec![flip]).augment,
        features: vec![],
        head: Head::Finetune(Box::new(recipe.clone())),
        score: Score::Top1,
    };
    (eval, recipe)
}

/// A pretraining with `mild` windows: 4 frames of 32 px, 1 s of sound, decoded together for both views.
pub fn mild(data: Data, bs: u32, es: u64, ep: u32) -> plan::Pretrain {
    let flip = Link::HorizontalFlip {
        p: Exact::new(1, 2),
    };
    let gain = Link::VolumeJitter {
        range: Exact::new(1, 10),
    };
    let settings = Pretrain {
        data,
        modalities: vec![
            modality("v", video(4, 32), vec![flip]),
            modality("a", audio(16_000), vec![gain]),
        ],
        views: 2,
        loss: Loss::default(),
        relax: Relaxation {
            within: overlap(50),
            across: Across::Inside,
            same: vec![],
        },
        bn: BatchNorm::PerView,
        bn_group: None,
        bs,
        es,
        ep,
        optim: Optimiser::Sgd {
            mtm: Exact::whole(0),
            wd: Exact::whole(0),
        },
        precision: Precision::Fp32,
        seed: 11,
    };
    let mut steps = Vec::new();
    let mut add = |node, inputs| {
        steps.push(Step {
            name: String::new(),
            node,
            inputs,
        });
        steps.len() - 1
    };
    for (modality, length, ticks, offset) in [("v", 6, 4, 2), ("a", 24_000, 16_000, 8_000)] {
        let modality = modality.to_owned();
        let decode = add(
            Node::Decode {
                modality: modality.clone(),
                views: vec![1, 2],
                length,
            },
            vec![],
        );
        for (view, start) in [(1, 0), (2, offset)] {
            add(
                Node::Slice {
                    modality: modality.clone(),
                    view,
                    start,
                    length: ticks,
                },
                vec![decode],
            );
        }
    }
    plan::Pretrain {
        settings: settings.into(),
        steps: steps.into(),
        keep: vec![],
    }
}
