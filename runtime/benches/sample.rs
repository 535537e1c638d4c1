//! The parts of a sample, on one thread: windows, augmentation, spectrograms, decoding from a shard. docs/performance.md says how to run
//! it. `bench data` measures a loader on real data, and the example `augment_cost` each link of a chain.

#![allow(clippy::unwrap_used)] // whatever fails here is a mistake of ours

use compiler::hir::{Clip, LogMel, Modality, Pretrain, Short};
use compiler::{Profile, check, sources};
use criterion::{Criterion, criterion_group, criterion_main};
use runtime::augment::{Key, augment_frames, augment_wave, plain_wave};
use runtime::data::sampler::Sampler;
use runtime::data::source::{Limits, Streams};
use tch::{Device, Kind, Tensor};

/// The paper's own pretraining.
fn paper() -> Pretrain {
    let mut sources = sources();
    let root = sources.add(
        "paper.cc",
        "use paper\n\npretrain paper = crisscross_k400\n",
    );
    let (program, found) = check(&mut sources, root, &|_, _| None, Profile::Full);
    let program = program.unwrap_or_else(|| panic!("{found:?}"));
    program.tables[0].rows[0].pretrain.as_ref().clone()
}

fn modality<'p>(paper: &'p Pretrain, name: &str) -> &'p Modality {
    paper.modality(name).unwrap()
}

fn windows(c: &mut Criterion) {
    let paper = paper();
    let sampler = Sampler::new(&paper.relax, paper.views, Short::Skip, &paper.modalities);
    let limits = Some(Limits {
        start: 0.0,
        end: 10.0,
    });
    let streams = Streams {
        video: limits,
        audio: limits,
    };
    let mut sample = 0;
    c.bench_function("windows of a sample", |b| {
        b.iter(|| {
            sample += 1;
            sampler.draw(&streams, &Key::new(0, sample, 0)).unwrap()
        });
    });
}

fn frames(c: &mut Criterion) {
    tch::set_num_threads(1);
    tch::manual_seed(0);
    let paper = paper();
    let of = modality(&paper, "v");
    let clip = Tensor::randint(256, [8, 128, 170, 3], (Kind::Uint8, Device::Cpu));
    let mut sample = 0;
    c.bench_function("frames of a view", |b| {
        b.iter(|| {
            sample += 1;
            let key = Key::new(0, sample, 0).child("v/1");
            augment_frames(&of.augment, std::slice::from_ref(&clip), 112, &[key])
        });
    });
}

fn sound(c: &mut Criterion) {
    tch::set_num_threads(1);
    tch::manual_seed(0);
    let paper = paper();
    let of = modality(&paper, "a");
    let Clip::Audio { samples, rate, mel } = &of.clip else {
        panic!("sound is sound");
    };
    let (mel, rate): (&LogMel, f64) = (mel, rate.to_f64());
    let wave = Tensor::randn([1, i64::from(*samples)], (Kind::Float, Device::Cpu)) * 0.1;
    c.bench_function("log-mel of a view", |b| {
        b.iter(|| plain_wave(&wave, mel, rate))
    });
    let mut sample = 0;
    c.bench_function("sound of a view", |b| {
        b.iter(|| {
            sample += 1;
            let key = Key::new(0, sample, 0).child("a/1");
            augment_wave(&of.augment, &wave, mel, rate, &[key])
        });
    });
}

/// Two views' frames and sound of a clip of the repository, packed as `data pack` does by default.
#[cfg(feature = "media")]
fn shard(c: &mut Criterion) {
    use compiler::units::Exact;
    use records::site::{DataRoot, Site};
    use runtime::data::files::Files;
    use runtime::data::shards::{Options, Quality, Shards, pack, undeclared};
    use runtime::data::source::{ClipSource, Request};
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    let root = DataRoot {
        root: Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clips/videos"),
        ..DataRoot::default()
    };
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let site = Site {
        data: [("clips".to_owned(), root)].into(),
        cache: Some(cache.path().to_owned()),
        ..Site::default()
    };
    let set = undeclared("clips");
    let files = Arc::new(Files::open(&set, &site, 1).unwrap());
    let options = Options {
        threads: 2,
        clips_per_shard: 100,
        stop: &AtomicBool::new(false),
    };
    let quality = Quality::default();
    pack(&files, &set, &quality, folder.path(), &options, &mut |_| ()).unwrap();
    let shards = Shards::open(&set, folder.path()).unwrap();
    let requests = [0.0, 0.5].map(|start| {
        let (fps, rate) = (Exact::whole(16), Exact::whole(16_000));
        [
            Request::Video {
                start,
                frames: 8,
                fps,
            },
            Request::Audio {
                start,
                samples: 8_000,
                rate,
            },
        ]
    });
    let requests = requests.concat();
    c.bench_function("a clip from a shard", |b| {
        b.iter(|| shards.read(0, &requests).unwrap());
    });
}

#[cfg(not(feature = "media"))]
fn shard(_: &mut Criterion) {
    eprintln!("without the feature `media` no shard can be packed: that part is left out");
}

criterion_group!(benches, windows, frames, sound, shard);
criterion_main!(benches);
