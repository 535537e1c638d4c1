//! A view depends on its clip and on the place of its random numbers, and on nothing else.

use super::audio::augment_wave_by;
use super::fixtures::{strong_frames, strong_sound};
use super::visual::{augment_frames_by, begin};
use super::{Key, Strategy};
use compiler::hir::{Chain, Fill, Levels, LogMel, Pair, Widths};
use tch::{Device, Kind, Tensor};

fn frames(per_frame: bool) -> Chain {
    let links = strong_frames(Pair::Range, Levels::Exact, Fill::FirstFrameMean);
    Chain { per_frame, links }
}

fn sound() -> Chain {
    Chain {
        per_frame: false,
        links: strong_sound([Widths::Inclusive, Widths::Exclusive]),
    }
}

const SAMPLES: i64 = 6;

/// Clips of different sizes, none so large that it shrinks to less than a quarter.
fn clips() -> Vec<Tensor> {
    let clip = |sample: i64| {
        let (height, width) = (40 + 7 * sample, 70 - 5 * sample);
        let pixels = Tensor::arange(2 * height * width * 3, (Kind::Int64, Device::Cpu));
        let bytes = (pixels.square() + &pixels * (7 + sample)).remainder(251);
        bytes.to_kind(Kind::Uint8).view([2, height, width, 3])
    };
    (0..SAMPLES).map(clip).collect()
}

fn waves() -> Vec<Tensor> {
    let all = Tensor::arange(SAMPLES * 16_000, (Kind::Float, Device::Cpu));
    ((all.square() * 1e-5).sin() * 0.5)
        .view([SAMPLES, 16_000])
        .split(1, 0)
}

fn keys(path: &str) -> Vec<Key> {
    (0..SAMPLES as u64)
        .map(|sample| Key::new(3, sample, 1).child(path))
        .collect()
}

/// The views of some samples as one batch, one by one.
type Make<'a> = &'a (dyn Fn(&[usize]) -> Vec<Tensor> + Sync);

/// All samples at once, one by one, in twos and backwards, and on four threads: the same to the last bit, or as near as `limit`.
fn whatever_the_batch(make: Make, limit: f64) {
    let all: Vec<usize> = (0..SAMPLES as usize).collect();
    let whole = make(&all);
    let check = |samples: &[usize], views: &[Tensor]| {
        for (sample, view) in samples.iter().zip(views) {
            let apart = (view - &whole[*sample]).abs().max().double_value(&[]);
            assert!(apart <= limit, "sample {sample} of {samples:?}: {apart}");
        }
    };
    for size in [1, 2, 5] {
        let backwards: Vec<usize> = all.iter().rev().copied().collect();
        for samples in backwards.chunks(size) {
            check(samples, &make(samples));
        }
    }
    let threads = std::thread::scope(|scope| {
        let thread = |at: usize| scope.spawn(move || make(&[at, at + 2]));
        let threads: Vec<_> = (0..4).map(thread).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect::<Vec<_>>()
    });
    for (at, views) in threads.iter().enumerate() {
        check(&[at, at + 2], views);
    }
}

#[test]
fn a_view_is_the_same_in_any_batch_and_on_any_thread() {
    tch::set_num_threads(1);
    for strategy in [Strategy::Each, Strategy::Together] {
        // A product of matrices may sum in another order where there are more of them.
        let limit = match strategy {
            Strategy::Each => 0.0,
            Strategy::Together => 1e-5,
        };
        for per_frame in [false, true] {
            let make = |samples: &[usize]| {
                let (clips, keys) = (clips(), keys("v/1"));
                let clips: Vec<Tensor> = samples
                    .iter()
                    .map(|at| clips[*at].shallow_clone())
                    .collect();
                let keys: Vec<Key> = samples.iter().map(|at| keys[*at].clone()).collect();
                augment_frames_by(strategy, &frames(per_frame), &clips, 32, &keys).unbind(0)
            };
            whatever_the_batch(&make, limit);
        }
        let mel = LogMel {
            bands: 40,
            hop: 160,
            fft: 512,
            centre: true,
        };
        let make = |samples: &[usize]| {
            let (waves, keys) = (waves(), keys("a/1"));
            let waves: Vec<Tensor> = samples
                .iter()
                .map(|at| waves[*at].shallow_clone())
                .collect();
            let keys: Vec<Key> = samples.iter().map(|at| keys[*at].clone()).collect();
            let waves = Tensor::cat(&waves, 0);
            augment_wave_by(strategy, &sound(), &waves, &mel, 16_000.0, &keys).unbind(0)
        };
        whatever_the_batch(&make, limit);
    }
}

#[test]
fn sample_epoch_view_and_frame_each_have_numbers_of_their_own() {
    let links = frames(false).links;
    let plan = |key: &Key| begin(&links, links.len(), (240, 320), 112, key);
    let here = Key::new(3, 17, 5).child("v/1");
    let others = [
        Key::new(3, 18, 5).child("v/1"),
        Key::new(3, 17, 6).child("v/1"),
        Key::new(4, 17, 5).child("v/1"),
        Key::new(3, 17, 5).child("v/2"),
        here.child("frame/0"),
    ];
    assert_eq!(plan(&here), plan(&here.clone()));
    for other in &others {
        assert_ne!(plan(&here), plan(other));
    }
    // A link keeps its numbers where others are left out.
    let cutout = &links[5..];
    let (_, alone) = begin(cutout, 1, (240, 320), 112, &here);
    let (_, with_all) = plan(&here);
    assert_eq!(alone.last(), with_all.last());
}
