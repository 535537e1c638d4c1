use super::*;
use crate::augment::mel::log_mel;
use compiler::units::Exact;
use tch::Kind;

fn clips(number: u32, classes: u32) -> RenderedClips {
    RenderedClips::new(&hir::Synthetic {
        clips: number,
        classes,
        length: Exact::whole(4),
        lag: Exact::new(3, 10),
        seed: 1,
        streams: vec!["v".into(), "a".into()],
        splits: 1,
    })
}

fn video(start: f64, frames: u32, fps: i128) -> Request {
    Request::Video {
        start,
        frames,
        fps: Exact::whole(fps),
    }
}

fn audio(start: f64, samples: u32) -> Request {
    Request::Audio {
        start,
        samples,
        rate: Exact::whole(16_000),
    }
}

fn read(source: &RenderedClips, clip: usize, request: Request) -> Tensor {
    match source.read(clip, &[request]).unwrap().remove(0) {
        Ticks::Frames(tensor) | Ticks::Wave(tensor) => tensor,
    }
}

#[test]
fn what_is_rendered_is_a_function_of_the_clip_and_the_time() {
    let source = clips(64, 8);
    let frames = read(&source, 9, video(1.0, 8, 16));
    assert_eq!(frames.size(), [8, 128, 128, 3]);
    assert_eq!(frames.kind(), Kind::Uint8);
    assert_eq!(read(&source, 9, video(1.25, 1, 25)), frames.narrow(0, 4, 1));
    let wave = read(&source, 9, audio(1.0, 16_000));
    assert_eq!(wave.kind(), Kind::Float);
    let later = (read(&source, 9, audio(1.5, 800)) - wave.narrow(0, 8_000, 800))
        .abs()
        .max()
        .double_value(&[]);
    assert!(later < 1e-4, "{later}");
    assert_ne!(read(&source, 17, video(1.0, 8, 16)), frames);
    assert!(read(&source, 17, audio(1.0, 16_000)) != wave);
}

#[test]
fn classes_are_told_apart_by_each_modality() {
    let traits: Vec<Traits> = (0..700).map(Traits::of).collect();
    let distinct = |of: fn(&Traits) -> (usize, usize, u32)| {
        let all: std::collections::BTreeSet<_> = traits.iter().map(of).collect();
        assert_eq!(all.len(), traits.len());
    };
    distinct(|t| (t.shape, t.motion, t.extra));
    distinct(|t| (t.timbre, t.swell, t.extra));
}

#[test]
fn folds_hold_out_clips_of_every_class() {
    let source = clips(64, 8);
    let test: Vec<usize> = (0..64)
        .filter(|clip| source.fold(*clip) == Some(1))
        .collect();
    assert_eq!(
        test,
        [8, 9, 10, 11, 12, 13, 14, 15, 40, 41, 42, 43, 44, 45, 46, 47]
    );
    let mut five = source.parameters.clone();
    five.splits = 5;
    let five = RenderedClips::new(&five);
    assert_eq!(
        [0, 8, 16, 32, 40].map(|clip| five.fold(clip)),
        [1, 2, 3, 5, 1].map(Some)
    );
}

#[test]
fn a_stream_that_is_not_there_is_an_error() {
    let mut deaf = clips(8, 8).parameters;
    deaf.streams = vec!["v".into()];
    let deaf = RenderedClips::new(&deaf);
    assert_eq!(deaf.streams(0).unwrap().audio, None);
    assert!(deaf.read(0, &[audio(0.0, 16)]).is_err());
    assert_ne!(deaf.fingerprint(), clips(8, 8).fingerprint());
}

/// Where the picture differs from its median over time, its mean row, a frame each 1/50 s: up is positive.
fn heights(source: &RenderedClips, clip: usize) -> Vec<f64> {
    let frames = read(source, clip, video(0.0, 200, 50)).to_kind(Kind::Float);
    let still = frames.median_dim(0, true).0;
    let moving = (frames - still)
        .abs()
        .sum_dim_intlist([3i64].as_slice(), false, Kind::Float);
    let moving =
        moving
            .gt(60.0)
            .to_kind(Kind::Float)
            .sum_dim_intlist([2i64].as_slice(), false, Kind::Float);
    let rows = Tensor::arange(128, (Kind::Float, tch::Device::Cpu));
    let mean = (&moving * rows).sum_dim_intlist([1i64].as_slice(), false, Kind::Float)
        / moving.sum_dim_intlist([1i64].as_slice(), false, Kind::Float);
    Vec::<f64>::try_from((-mean).to_kind(Kind::Double)).unwrap()
}

/// The loudest band of the log-mel, a column each 1/50 s.
fn pitches(source: &RenderedClips, clip: usize) -> Vec<f64> {
    let mel = hir::LogMel {
        bands: 128,
        hop: 320,
        fft: 2048,
        centre: false,
    };
    let spectrogram = log_mel(
        &read(source, clip, audio(0.0, 64_000)).unsqueeze(0),
        &mel,
        16_000.0,
    );
    Vec::<f64>::try_from(spectrogram.squeeze().argmax(0, false).to_kind(Kind::Double)).unwrap()
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let centred = |v: &[f64]| {
        v.iter()
            .map(|x| x - v.iter().sum::<f64>() / v.len() as f64)
            .collect::<Vec<_>>()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let (a, b) = (centred(a), centred(b));
    dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
}

/// Seen and heard from outside: the height of what moves and the pitch of what sounds agree best 0.3 s apart. The clips are of
/// the class with the mellow timbre, whose loudest band is the pitch.
#[test]
fn the_tone_follows_the_shape_after_the_lag() {
    let source = clips(64, 8);
    for clip in [0, 8, 16, 24] {
        let (heights, pitches) = (heights(&source, clip), pitches(&source, clip));
        let at = |lag: usize| correlation(&heights[..heights.len() - lag], &pitches[lag..]);
        let best = (0..=25).max_by(|a, b| at(*a).total_cmp(&at(*b))).unwrap();
        println!(
            "clip {clip}: best lag {best}, correlation {:.3}, at 0 {:.3}",
            at(best),
            at(0)
        );
        assert!(
            (14..=16).contains(&best),
            "clip {clip}: {best} fiftieths of a second"
        );
        assert!(at(15) > 0.8, "clip {clip}: {}", at(15));
    }
}

/// Share of test clips whose features lie nearest to the mean of their class, each feature scaled to unit variance.
fn nearest_mean(source: &RenderedClips, features: impl Fn(usize) -> Tensor) -> f64 {
    let all = Tensor::stack(&(0..source.len()).map(features).collect::<Vec<_>>(), 0);
    let all = (&all - all.mean_dim([0i64].as_slice(), true, None))
        / (all.std_dim([0i64].as_slice(), true, true) + 1e-6);
    let pick = |fold: u32, class: u32| {
        let at = (0..source.len())
            .filter(|c| source.fold(*c) == Some(fold) && source.label(*c) == Some(class));
        all.index_select(
            0,
            &Tensor::from_slice(&at.map(|c| c as i64).collect::<Vec<_>>()),
        )
    };
    let classes = source.classes().len() as u32;
    let means: Vec<Tensor> = (0..classes)
        .map(|c| pick(0, c).mean_dim([0i64].as_slice(), false, None))
        .collect();
    let means = Tensor::stack(&means, 0);
    let (mut right, mut total) = (0, 0);
    for class in 0..classes {
        let nearest = Tensor::cdist(&pick(1, class), &means, 2.0, None).argmin(1, false);
        right += nearest
            .eq(i64::from(class))
            .sum(Kind::Int64)
            .int64_value(&[]);
        total += nearest.size()[0];
    }
    right as f64 / total as f64
}

/// Chance is 1/8. The features are a beginner's: mean and spread of each mel band, and how far from its middle what moves is.
#[test]
fn either_modality_tells_the_classes_apart_but_not_trivially() {
    let source = clips(192, 8);
    let heard = nearest_mean(&source, |clip| {
        let mel = hir::LogMel {
            bands: 32,
            hop: 320,
            fft: 1024,
            centre: true,
        };
        let spectrogram = log_mel(
            &read(&source, clip, audio(1.0, 32_000)).unsqueeze(0),
            &mel,
            16_000.0,
        )
        .squeeze();
        let (mean, spread) = (
            spectrogram.mean_dim([1i64].as_slice(), false, None),
            spectrogram.std_dim([1i64].as_slice(), true, false),
        );
        Tensor::cat(&[mean, spread], 0)
    });
    let seen = nearest_mean(&source, |clip| {
        let frames = read(&source, clip, video(0.5, 8, 4)).to_kind(Kind::Float);
        let moving = (&frames - frames.median_dim(0, true).0)
            .abs()
            .amax([3i64].as_slice(), false)
            .gt(40.0)
            .to_kind(Kind::Float);
        let area = moving.sum_dim_intlist([1i64, 2].as_slice(), true, Kind::Float) + 1.0;
        let at = Tensor::arange(128, (Kind::Float, tch::Device::Cpu));
        let (y, x) = (at.view([1, 128, 1]), at.view([1, 1, 128]));
        let middle = |axis: &Tensor| {
            (&moving * axis).sum_dim_intlist([1i64, 2].as_slice(), true, Kind::Float) / &area
        };
        let distance =
            ((&y - middle(&y)).square() + (&x - middle(&x)).square()).sqrt() / area.sqrt();
        let ring = |r: i64| {
            let inside = distance
                .ge(r as f64 / 8.0)
                .logical_and(&distance.lt((r + 1) as f64 / 8.0))
                .to_kind(Kind::Float);
            ((inside * &moving).sum_dim_intlist([1i64, 2].as_slice(), true, Kind::Float) / &area)
                .mean(Kind::Float)
        };
        Tensor::stack(&(0..12).map(ring).collect::<Vec<_>>(), 0)
    });
    println!("heard {heard:.2}, seen {seen:.2}");
    assert!((0.25..0.98).contains(&heard), "{heard}");
    assert!((0.25..0.98).contains(&seen), "{seen}");
}
