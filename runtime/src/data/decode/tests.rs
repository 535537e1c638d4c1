//! Clips whose frames show their number and whose sound is a known function of time; `tests/clips/README.md` describes them.

use super::*;
use crate::data::source::Ticks;
use compiler::units::Exact;
use std::f64::consts::TAU;
use std::path::PathBuf;
use tch::{IndexOp, Kind as Dtype, Tensor};

pub(super) fn clip(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/clips/exact")
        .join(name)
}

pub(super) fn video(start: f64, frames: u32, fps: i128) -> Request {
    Request::Video {
        start,
        frames,
        fps: Exact::whole(fps),
    }
}

pub(super) fn audio(start: f64, samples: u32) -> Request {
    Request::Audio {
        start,
        samples,
        rate: Exact::whole(16_000),
    }
}

fn frames(span: &Span) -> &Tensor {
    match &span.ticks {
        Ticks::Frames(frames) => frames,
        Ticks::Wave(_) => panic!("sound where pictures were asked for"),
    }
}

pub(super) fn wave(span: &Span) -> Vec<f32> {
    match &span.ticks {
        Ticks::Wave(wave) => wave.try_into().unwrap(),
        Ticks::Frames(_) => panic!("pictures where sound was asked for"),
    }
}

/// The number that each frame shows: bit `b` is the square in column `b % 4`, row `b / 4`.
pub(super) fn numbers(span: &Span) -> Vec<i64> {
    frames(span).unbind(0).iter().map(number).collect()
}

/// The number of a frame `[H, W, 3]`.
pub(super) fn number(frame: &Tensor) -> i64 {
    assert_eq!(frame.size(), [32, 64, 3]);
    let bit = |bit: i64| {
        let (x, y) = (16 * (bit % 4) + 4, 16 * (bit / 4) + 4);
        let grey = frame
            .i((y..y + 8, x..x + 8, ..))
            .to_kind(Dtype::Float)
            .mean(Dtype::Float)
            .double_value(&[]);
        i64::from(grey > 128.0) << bit
    };
    (0..8).map(bit).sum()
}

/// The chirp at sample `n` of the clock, for sound that began at `begin` seconds.
fn chirp(n: i64, begin: f64) -> f64 {
    let t = n as f64 / 16_000.0 - begin;
    if t < 0.0 {
        0.0
    } else {
        0.5 * (TAU * (200.0 * t + 50.0 * t * t)).sin()
    }
}

/// Largest share of the chirp's energy that the error has, for the best of some shifts, and that shift in samples.
fn misfit(wave: &[f32], start: f64, begin: f64) -> (f64, i64) {
    let first = (start * 16_000.0).round() as i64;
    let error = |shift: i64| {
        let of = |(n, &got): (usize, &f32)| {
            (f64::from(got) - chirp(first + n as i64 + shift, begin)).powi(2)
        };
        let energy: f64 = (0..wave.len())
            .map(|n| chirp(first + n as i64 + shift, begin).powi(2))
            .sum();
        wave.iter().enumerate().map(of).sum::<f64>() / energy.max(1e-9)
    };
    (-40..=40)
        .map(|shift| (error(shift), shift))
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .unwrap()
}

/// A small generator for places to read at.
pub(super) fn places(n: usize, until: f64) -> Vec<f64> {
    let next = |state: &mut u64| {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        Some((*state >> 40) as f64 / (1u64 << 24) as f64 * until)
    };
    let mut state = 99;
    (0..n).filter_map(|_| next(&mut state)).collect()
}

#[test]
fn frames_are_those_shown_at_the_moment() {
    for start in places(25, 9.5)
        .into_iter()
        .chain([0.0, 0.04, 0.039_999, 9.5, 5.0])
    {
        let spans = read(&clip("counter.mp4"), None, &[video(start, 8, 16)]).unwrap();
        let tick = 0.5 / 12_800.0;
        let expected: Vec<i64> = (0..8)
            .map(|k| ((start + f64::from(k) / 16.0 + tick) * 25.0).floor() as i64)
            .collect();
        assert_eq!(numbers(&spans[0]), expected, "from {start}");
        assert_eq!((spans[0].before, spans[0].after), (0, 0));
    }
}

#[test]
fn frames_of_a_variable_rate_are_those_shown_at_the_moment() {
    for start in places(15, 3.4) {
        let spans = read(&clip("variable_rate.mp4"), None, &[video(start, 8, 16)]).unwrap();
        let shown = |k: i32| {
            let number = ((start + f64::from(k) / 16.0 + 0.5 / 12_800.0) * 25.0).floor() as i64;
            if number % 3 == 1 { number - 1 } else { number }
        };
        assert_eq!(
            numbers(&spans[0]),
            (0..8).map(shown).collect::<Vec<_>>(),
            "from {start}"
        );
    }
}

#[test]
fn sound_lies_on_the_sample() {
    for start in places(20, 8.0).into_iter().chain([0.0, 8.0]) {
        let spans = read(&clip("counter.mp4"), None, &[audio(start, 32_000)]).unwrap();
        let (error, shift) = misfit(&wave(&spans[0]), start, 0.0);
        assert_eq!(shift, 0, "from {start}");
        // AAC at 48 kbit/s leaves 5 to 9 percent, the `ffmpeg` program's own conversion as much; one sample off is 8 to 30.
        assert!(error < 0.1, "from {start}: {error} of the energy");
        assert_eq!((spans[0].before, spans[0].after), (0, 0), "from {start}");
    }
}

#[test]
fn sound_that_starts_late_is_late() {
    let spans = read(
        &clip("late_sound.mkv"),
        None,
        &[audio(0.0, 32_000), video(0.0, 8, 16), audio(1.3, 16_000)],
    )
    .unwrap();
    let silent = &wave(&spans[0])[..7_000];
    assert!(silent.iter().all(|x| x.abs() < 1e-3));
    // By its time stamps the sound begins at 0.4935 s: Opus has a delay of 6.5 ms.
    assert!(
        (7_880..=7_920).contains(&spans[0].before),
        "{}",
        spans[0].before
    );
    for (span, start) in [(&spans[0], 0.0), (&spans[2], 1.3)] {
        let from = ((0.6 - start) * 16_000.0_f64).max(0.0) as usize;
        let (error, shift) = misfit(&wave(span)[from..], start + from as f64 / 16_000.0, 0.4935);
        // Matroska rounds time stamps to 1 ms.
        assert!(
            shift.abs() <= 8 && error < 0.05,
            "from {start}: {shift} samples, {error}"
        );
    }
    assert_eq!(numbers(&spans[1]), [0, 1, 3, 4, 6, 7, 9, 10]);
}

#[test]
fn many_requests_of_one_opening_equal_single_ones() {
    let requests = [
        video(6.1, 8, 16),
        audio(5.5, 48_000),
        video(0.3, 8, 16),
        audio(0.25, 32_000),
        video(6.35, 12, 16),
    ];
    for name in ["counter.mp4", "late_sound.mkv"] {
        let together = read(&clip(name), None, &requests).unwrap();
        for (request, span) in requests.iter().zip(&together) {
            let alone = &read(&clip(name), None, &[*request]).unwrap()[0];
            assert_eq!(
                (alone.before, alone.after),
                (span.before, span.after),
                "{name} {request:?}"
            );
            match (&alone.ticks, &span.ticks) {
                (Ticks::Frames(a), Ticks::Frames(b)) => assert_eq!(a, b, "{name} {request:?}"),
                (Ticks::Wave(a), Ticks::Wave(b)) => {
                    let apart = (a - b).abs().max().double_value(&[]);
                    assert!(apart < 2e-3, "{name} {request:?}: {apart}");
                }
                _ => panic!("kinds differ"),
            }
        }
    }
}

#[test]
fn ticks_outside_repeat_the_last_frame_and_are_silent() {
    let spans = read(
        &clip("counter.mp4"),
        None,
        &[video(9.75, 8, 16), audio(9.5, 16_000), video(-0.25, 8, 16)],
    )
    .unwrap();
    assert_eq!(numbers(&spans[0]), [243, 245, 246, 248, 249, 249, 249, 249]);
    assert_eq!(spans[0].after, 4);
    // The last AAC packet goes 8 ms beyond the sound.
    assert!(
        (7_800..=8_000).contains(&spans[1].after),
        "{}",
        spans[1].after
    );
    assert!(wave(&spans[1])[8_200..].iter().all(|&x| x == 0.0));
    assert_eq!(numbers(&spans[2]), [0, 0, 0, 0, 0, 1, 3, 4]);
    assert_eq!(spans[2].before, 4);
    let far = read(
        &clip("counter.mp4"),
        None,
        &[video(60.0, 2, 16), audio(60.0, 100)],
    )
    .unwrap();
    assert_eq!(
        (numbers(&far[0]), far[0].after, far[1].after),
        (vec![249, 249], 2, 100)
    );
}

#[test]
fn pictures_are_turned_upright() {
    let spans = read(&clip("turned.mp4"), None, &[video(0.0, 2, 16)]).unwrap();
    let frames = frames(&spans[0]).to_kind(Dtype::Float);
    assert_eq!(frames.size(), [2, 64, 32, 3]);
    let mean = |y: i64, x: i64| {
        frames
            .i((0, y..y + 8, x..x + 8, ..))
            .mean(Dtype::Float)
            .double_value(&[])
    };
    assert!(mean(52, 4) > 200.0 && mean(4, 4) < 50.0 && mean(4, 20) < 50.0 && mean(52, 20) < 50.0);
}

#[test]
fn what_cannot_be_read_is_an_error_with_a_cause() {
    let folder = tempfile::tempdir().unwrap();
    let cause = |path: &Path, request| {
        let error = read(path, None, &[request]).unwrap_err();
        assert!(matches!(error, Error::Decode { .. }), "{error}");
        crate::data::admission::cause(error)
    };
    assert_eq!(
        cause(&clip("variable_rate.mp4"), audio(0.0, 100)),
        "it has no sound"
    );
    let text = folder.path().join("text.mp4");
    std::fs::write(&text, "no film at all").unwrap();
    assert_eq!(
        cause(&text, video(0.0, 1, 16)),
        "the data are damaged, or not those of a media file"
    );
    assert_eq!(
        cause(&folder.path().join("none.mp4"), video(0.0, 1, 16)),
        "No such file or directory"
    );
    // The index stands at the end of an MP4 file.
    let whole = std::fs::read(clip("counter.mp4")).unwrap();
    let cut = folder.path().join("cut.mp4");
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(
        cause(&cut, video(0.0, 1, 16)),
        "the data are damaged, or not those of a media file"
    );
    // Matroska is read as far as it goes.
    let whole = std::fs::read(clip("late_sound.mkv")).unwrap();
    let cut = folder.path().join("cut.mkv");
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let spans = read(&cut, None, &[video(0.5, 2, 16), video(3.5, 2, 16)]).unwrap();
    assert_eq!((spans[0].after, spans[1].after), (0, 2));
}

#[test]
fn limits_are_those_of_the_time_stamps() {
    let of = |name: &str| streams(&clip(name)).unwrap();
    let close = |limits: Option<crate::data::source::Limits>, start: f64, end: f64| {
        let limits = limits.unwrap();
        assert!(
            (limits.start - start).abs() < 0.02 && (limits.end - end).abs() < 0.03,
            "{limits:?}"
        );
    };
    close(of("counter.mp4").video, 0.0, 10.0);
    close(of("counter.mp4").audio, 0.0, 10.0);
    close(of("late_sound.mkv").video, 0.0, 4.0);
    close(of("late_sound.mkv").audio, 0.487, 3.5);
    assert_eq!(of("turned.mp4").audio, None);
}

#[test]
fn all_routes_give_the_same_bits() {
    for name in [
        "counter.mp4",
        "late_sound.mkv",
        "variable_rate.mp4",
        "turned.mp4",
    ] {
        let known = scan(&clip(name)).unwrap();
        let frames = known.video.as_ref().unwrap();
        assert!(frames.is_exact, "{name}");
        for start in places(8, 10.5) {
            let mut requests = vec![video(start - 0.3, 6, 16)];
            if known.audio.is_some() {
                requests.push(audio(start - 0.2, 9_000));
            }
            let spans = [
                read(&clip(name), Some(&known), &requests).unwrap(),
                read(&clip(name), None, &requests).unwrap(),
                read_whole(&clip(name), &requests).unwrap(),
                // A scan of another file: its word is not taken.
                read(
                    &clip(name),
                    Some(&scan(&clip("variable_rate.mp4")).unwrap()),
                    &requests,
                )
                .unwrap(),
            ];
            for other in &spans[1..] {
                for (a, b) in spans[0].iter().zip(other) {
                    let at = format!("{name} from {start}");
                    assert_eq!((a.before, a.after), (b.before, b.after), "{at}");
                    let (Ticks::Frames(a) | Ticks::Wave(a)) = &a.ticks;
                    let (Ticks::Frames(b) | Ticks::Wave(b)) = &b.ticks;
                    assert_eq!(a, b, "{at}");
                }
            }
        }
    }
}

#[test]
fn a_scan_has_every_frame_and_reads_back() {
    let known = scan(&clip("counter.mp4")).unwrap();
    let frames = known.video.as_ref().unwrap();
    assert_eq!((frames.times.len(), frames.keys[0]), (250, 0));
    let apart = |pair: &[i64]| (pair[1] - pair[0]) as f64 * frames.tick();
    assert!(
        frames
            .times
            .windows(2)
            .all(|pair| (apart(pair) - 0.04).abs() < 1e-9)
    );
    for name in ["counter.mp4", "late_sound.mkv", "variable_rate.mp4"] {
        let known = scan(&clip(name)).unwrap();
        let bytes = known.to_bytes();
        assert!(bytes.len() < 400, "{name}: {} bytes", bytes.len());
        assert_eq!(Scan::from_bytes(&bytes), Some(known), "{name}");
        // Any bytes may come in.
        for at in 0..bytes.len() {
            assert_eq!(Scan::from_bytes(&bytes[..at]), None, "{name} cut at {at}");
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bent = bytes.clone();
                bent[at] = value;
                let _ = Scan::from_bytes(&bent);
            }
        }
    }
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let cause = |path: &Path| crate::data::admission::cause(scan(path).unwrap_err());
    let named = folder.path().join("folder.mp4");
    std::fs::create_dir(&named).unwrap();
    assert_eq!(cause(&named), "it is a folder, no file");
    let empty = folder.path().join("empty.mp4");
    std::fs::write(&empty, "").unwrap();
    assert_eq!(
        cause(&empty),
        "the data are damaged, or not those of a media file"
    );
    // Ten gigabytes of nothing, and some with the first bytes of a film.
    let head = std::fs::read(clip("counter.mp4")).unwrap()[..64].to_vec();
    for (name, first) in [("sparse.avi", &[][..]), ("sparse.mp4", &head[..])] {
        let sparse = folder.path().join(name);
        std::fs::write(&sparse, first).unwrap();
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(&sparse)
            .unwrap();
        file.set_len(10 << 30).unwrap();
        assert!(!cause(&sparse).is_empty());
    }
    #[cfg(unix)]
    {
        let ring = folder.path().join("ring.mp4");
        std::os::unix::fs::symlink(&ring, &ring).unwrap();
        assert!(cause(&ring).contains("symbolic links"), "{}", cause(&ring));
        let device = Path::new("/dev/zero");
        assert_eq!(cause(device), "it is a pipe or a device, no file");
    }
}

#[test]
fn a_sample_that_is_no_number_is_refused_where_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nan.wav");
    let mut samples = vec![0.25f32; 32_000];
    samples[24_000] = f32::NAN;
    std::fs::write(&path, crate::data::fixtures::float_wav(&samples)).unwrap();
    // A second from the start is whole.
    let spans = read(&path, None, &[audio(0.0, 16_000)]).unwrap();
    assert!(wave(&spans[0]).iter().all(|x| (x - 0.25).abs() < 1e-6));
    let error = read(&path, None, &[audio(1.0, 16_000)]).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("sound at 1.500 s: a sample is NaN"),
        "{error}"
    );
}
