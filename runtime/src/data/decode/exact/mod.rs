//! Exactness: clips of many containers and codecs, written here, whose frames show their number and whose sound is a chirp. What
//! comes out of random requests is compared with what the presentation times say.
//!
//! Every kind gets [`READINGS`] readings, each of six pictures and half a second of sound, with a scan and without one: the
//! numbers must be those of the rule, and the sound must fit the chirp best at a shift within the kind's tolerance.

pub(in crate::data) mod clip;
mod ends;
#[cfg(unix)]
mod monsters;

use super::tests::{audio, number, numbers, places, video, wave};
use super::{each_frame, frame_times, read, scan};
use crate::data::source::{Request, Ticks};
use clip::{Clip, Pictures, Tone, chirp, write};
use ff::format::{Pixel, Sample, sample::Type};
use ffmpeg_next as ff;

/// Readings of each kind.
const READINGS: usize = 50;
/// Samples of a request of sound.
const SAMPLES: u32 = 8_000;

/// How far the sound may be off.
#[derive(Clone, Copy)]
struct Bar {
    /// Samples at 16 kHz by which the best fit may be shifted.
    shift: i64,
    /// Share of the chirp's energy that may be left as error there.
    error: f64,
}

/// Sound without loss, in a container that times it to the sample.
const EXACT: Bar = Bar {
    shift: 0,
    error: 0.01,
};

/// Coded sound, in a container that times it to the sample.
const CODED: Bar = Bar {
    shift: 1,
    error: 0.05,
};

/// Sound in a container whose times are rounded to 1 ms: half of that is 8 samples.
const ROUNDED: Bar = Bar {
    shift: 8,
    error: 0.05,
};

/// The sound of a clip as samples at 16 kHz of the file's clock, with silence around.
struct Known {
    first: i64,
    wave: Vec<f64>,
}

impl Known {
    fn new(begin: f64, seconds: f64) -> Self {
        let first = (begin * 16_000.0) as i64 - 16_000;
        let at = |n: i64| {
            let t = (first + n) as f64 / 16_000.0 - begin;
            if (0.0..seconds).contains(&t) {
                chirp(t)
            } else {
                0.0
            }
        };
        let wave = (0..(seconds * 16_000.0) as i64 + 32_000).map(at).collect();
        Self { first, wave }
    }

    /// The share of energy that is left at the shift at which the wave fits best, and that shift. Shifts of more than half a
    /// period of the highest tone look alike in one window, but not in windows at different times, where the periods differ.
    fn misfit(&self, wave: &[f32], start: f64) -> (f64, i64) {
        let from = (start * 16_000.0).round() as i64 - self.first;
        let error = |shift: i64| {
            let known = &self.wave[(from + shift) as usize..][..wave.len()];
            let energy: f64 = known.iter().map(|x| x * x).sum();
            let pairs = known.iter().zip(wave);
            let left: f64 = pairs.map(|(x, &y)| (x - f64::from(y)).powi(2)).sum();
            left / energy
        };
        (-9..=9)
            .map(|shift| (error(shift), shift))
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .unwrap()
    }
}

/// Writes the clip and reads it at random places.
fn check(name: &str, clip: &Clip, bar: Bar) {
    check_as(name, clip, clip, bar);
}

/// Writes the clip and reads it at random places, where it is as `clip` says.
fn check_as(name: &str, written: &Clip, clip: &Clip, bar: Bar) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    write(written, &path).unwrap_or_else(|error| panic!("{name} is not written: {error}"));
    let known = scan(&path).unwrap();
    let times: Option<(Vec<f64>, f64)> = clip.pictures.as_ref().map(|pictures| {
        let unit = f64::from(pictures.unit);
        let times: Vec<f64> = pictures.times.iter().map(|&t| t as f64 / unit).collect();
        let tick = known.video.as_ref().unwrap().tick();
        let (read, _) = frame_times(&path).unwrap();
        assert_eq!(read.len(), times.len(), "{name}");
        for (a, b) in read.iter().zip(&times) {
            assert!((a - b).abs() <= tick / 2.0 + 1e-9, "{name}: {a} for {b}");
        }
        // Every frame in one pass, and one moment between each two.
        let mut shown = Vec::new();
        let moments: Vec<f64> = read.iter().flat_map(|t| [*t, t + 0.3 / unit]).collect();
        each_frame(&path, &moments, 0.0, &mut |at, frame| {
            assert_eq!(at, shown.len());
            shown.push(number(frame));
            Ok(())
        })
        .unwrap();
        let twice: Vec<i64> = (0..times.len() as i64).flat_map(|n| [n, n]).collect();
        assert_eq!(shown, twice, "{name}");
        (times, tick)
    });
    let sound = clip
        .tone
        .as_ref()
        .map(|tone| (tone, Known::new(tone.start + tone.lag, tone.seconds)));
    let places = places(3 * READINGS, 1.0);
    for draw in places.chunks(3) {
        let mut requests = Vec::new();
        if let Some((times, _)) = &times {
            let (first, last) = (times[0], times[times.len() - 1]);
            let start = first - 0.2 + draw[0] * (last - first + 0.2);
            requests.push(video(start, 6, [8, 16, 24, 30][(draw[2] * 4.0) as usize]));
        }
        if let Some((tone, _)) = &sound {
            requests.push(audio(
                tone.start - 0.2 + draw[1] * (tone.seconds - 0.1),
                SAMPLES,
            ));
        }
        let spans = read(&path, Some(&known), &requests).unwrap();
        let other = read(&path, None, &requests).unwrap();
        for ((request, span), other) in requests.iter().zip(&spans).zip(&other) {
            let at = format!("{name}: {request:?}");
            assert_eq!(
                (span.before, span.after),
                (other.before, other.after),
                "{at}"
            );
            let (Ticks::Frames(a) | Ticks::Wave(a)) = &span.ticks;
            let (Ticks::Frames(b) | Ticks::Wave(b)) = &other.ticks;
            assert_eq!(a, b, "{at}: with a scan and without");
            match request {
                Request::Video { start, frames, fps } => {
                    let (times, tick) = times.as_ref().unwrap();
                    let shown = |k: u32| {
                        let t = start + f64::from(k) / fps.to_f64() + tick / 2.0;
                        times.partition_point(|&time| time <= t).saturating_sub(1) as i64
                    };
                    let expected: Vec<i64> = (0..*frames).map(shown).collect();
                    assert_eq!(numbers(span), expected, "{at}");
                }
                Request::Audio { start, .. } => {
                    let (error, shift) = sound.as_ref().unwrap().1.misfit(&wave(span), *start);
                    assert!(
                        shift.abs() <= bar.shift && error <= bar.error,
                        "{at}: {shift} samples off, {error:.4} of the energy"
                    );
                }
            }
        }
    }
}

/// Seven seconds of 25 frames a second.
fn pictures(codec: &'static str, format: Pixel) -> Pictures {
    Pictures {
        codec,
        format,
        options: &[],
        gop: 25,
        b_frames: 0,
        times: (0..175).collect(),
        unit: 25,
    }
}

/// Seven seconds of sound.
fn tone(codec: &'static str, format: Sample, rate: i32, channels: i32) -> Tone {
    Tone {
        codec,
        format,
        rate,
        channels,
        bit_rate: 64_000 * channels as usize,
        start: 0.0,
        lag: 0.0,
        seconds: 7.0,
        sway: 0.0,
    }
}

const PLANES: Sample = Sample::F32(Type::Planar);
const PACKED: Sample = Sample::I16(Type::Packed);

fn clip(container: &'static str, pictures: Option<Pictures>, tone: Option<Tone>) -> Clip {
    Clip {
        container,
        pictures,
        tone,
    }
}

/// H.264 with B-frames.
fn h264() -> Pictures {
    Pictures {
        options: &[
            ("preset", "veryfast"),
            ("x264-params", "scenecut=0:open-gop=0"),
        ],
        b_frames: 2,
        ..pictures("libx264", Pixel::YUV420P)
    }
}

/// The whole clip begins so many seconds later.
fn later(mut clip: Clip, seconds: i32) -> Clip {
    if let Some(pictures) = &mut clip.pictures {
        let by = i64::from(seconds * pictures.unit);
        pictures.times.iter_mut().for_each(|time| *time += by);
    }
    if let Some(tone) = &mut clip.tone {
        tone.start += f64::from(seconds);
    }
    clip
}

/// Times of frames that lie 10 to 90 ms apart, in ms.
fn uneven() -> Vec<i64> {
    let gaps = places(140, 1.0);
    let mut at = 0;
    let next = |gap: f64| {
        at += 10 + (gap * 81.0) as i64;
        at
    };
    [0].into_iter().chain(gaps.into_iter().map(next)).collect()
}

#[test]
fn mp4_h264_with_b_frames_and_aac() {
    let aac = tone("aac", PLANES, 44_100, 2);
    check("b.mp4", &clip("mp4", Some(h264()), Some(aac)), CODED);
}

#[test]
fn mp4_h264_with_open_gops_and_mono_aac() {
    let open = Pictures {
        options: &[
            ("preset", "veryfast"),
            ("x264-params", "scenecut=0:open-gop=1"),
        ],
        gop: 12,
        ..h264()
    };
    let aac = tone("aac", PLANES, 16_000, 1);
    check("open.mp4", &clip("mp4", Some(open), Some(aac)), CODED);
}

#[test]
fn mp4_variable_rate_and_late_sound() {
    let pictures = Pictures {
        times: uneven(),
        unit: 1000,
        ..h264()
    };
    let late = Tone {
        // Less the 1024 samples of priming it is a whole number of milliseconds, which is what edit lists count.
        start: 0.54,
        ..tone("aac", PLANES, 32_000, 2)
    };
    check(
        "uneven.mp4",
        &clip("mp4", Some(pictures), Some(late)),
        CODED,
    );
}

#[test]
fn mp4_ten_bit_hevc_and_short_sound() {
    let pictures = Pictures {
        options: &[
            ("preset", "ultrafast"),
            ("x265-params", "log-level=none:ctu=16:pools=none"),
        ],
        b_frames: 2,
        ..pictures("libx265", Pixel::YUV420P10LE)
    };
    let short = Tone {
        seconds: 4.0,
        ..tone("aac", PLANES, 32_000, 2)
    };
    check("deep.mp4", &clip("mp4", Some(pictures), Some(short)), CODED);
}

#[test]
fn matroska_h264_and_vorbis() {
    let vorbis = tone("libvorbis", PLANES, 48_000, 2);
    check(
        "v.mkv",
        &later(clip("matroska", Some(h264()), Some(vorbis)), 1),
        ROUNDED,
    );
}

#[test]
fn matroska_ffv1_and_flac() {
    let pictures = pictures("ffv1", Pixel::YUV444P);
    let flac = tone("flac", PACKED, 48_000, 2);
    check(
        "f.mkv",
        &clip("matroska", Some(pictures), Some(flac)),
        ROUNDED,
    );
}

#[test]
fn webm_vp8_and_vorbis() {
    let vp8 = Pictures {
        options: &[
            ("deadline", "good"),
            ("cpu-used", "5"),
            ("lag-in-frames", "10"),
            ("auto-alt-ref", "1"),
        ],
        ..pictures("libvpx", Pixel::YUV420P)
    };
    let vorbis = tone("libvorbis", PLANES, 44_100, 2);
    check(
        "8.webm",
        &later(clip("webm", Some(vp8), Some(vorbis)), 1),
        ROUNDED,
    );
}

#[test]
fn webm_vp9_and_vorbis() {
    let vp9 = Pictures {
        options: &[
            ("deadline", "good"),
            ("cpu-used", "5"),
            ("lag-in-frames", "10"),
            ("auto-alt-ref", "1"),
        ],
        ..pictures("libvpx-vp9", Pixel::YUV420P)
    };
    let vorbis = tone("libvorbis", PLANES, 48_000, 1);
    check(
        "9.webm",
        &later(clip("webm", Some(vp9), Some(vorbis)), 1),
        ROUNDED,
    );
}

/// Stamps as they are written for blocks of two lengths: those of some packets are 10 ms early, and nothing is missing.
#[test]
fn webm_vorbis_with_stamps_that_sway() {
    let vorbis = Tone {
        sway: 0.01,
        ..tone("libvorbis", PLANES, 44_100, 1)
    };
    let bar = Bar {
        shift: 9,
        error: 0.05,
    };
    let clip = later(clip("webm", None, Some(vorbis)), 1);
    check("s.webm", &clip, bar);
}

#[test]
fn avi_mpeg4_and_pcm() {
    let pictures = pictures("mpeg4", Pixel::YUV420P);
    let pcm = tone("pcm_s16le", PACKED, 22_050, 1);
    check("4.avi", &clip("avi", Some(pictures), Some(pcm)), EXACT);
}

/// Packets of AVI have no time of presentation, and B-frames come after what is shown behind them: the first frame is shown when the
/// second packet is due, as all players have it.
#[test]
fn avi_mpeg4_with_b_frames_and_pcm() {
    let made = |first: i64| {
        let pictures = Pictures {
            b_frames: 2,
            gop: 12,
            times: (first..first + 175).collect(),
            ..pictures("mpeg4", Pixel::YUV420P)
        };
        let pcm = tone("pcm_s16le", PACKED, 22_050, 1);
        clip("avi", Some(pictures), Some(pcm))
    };
    check_as("b.avi", &made(0), &made(1), EXACT);
}

#[test]
fn mpegts_mpeg2_and_mp2_from_ten_seconds_on() {
    let mpeg2 = Pictures {
        b_frames: 2,
        gop: 12,
        ..pictures("mpeg2video", Pixel::YUV420P)
    };
    let mp2 = tone("mp2", PACKED, 48_000, 2);
    check(
        "2.ts",
        &later(clip("mpegts", Some(mpeg2), Some(mp2)), 10),
        CODED,
    );
}

/// The muxer of program streams puts all off by half a second, and by the frame that B-frames need.
#[test]
fn mpegps_mpeg1_and_mp2() {
    let mpeg1 = Pictures {
        b_frames: 2,
        gop: 12,
        ..pictures("mpeg1video", Pixel::YUV420P)
    };
    let mp2 = tone("mp2", PACKED, 44_100, 2);
    let written = clip("mpeg", Some(mpeg1), Some(mp2));
    let shown = Pictures {
        times: (0..175).map(|n| 2 * n + 27).collect(),
        unit: 50,
        ..pictures("mpeg1video", Pixel::YUV420P)
    };
    let heard = Tone {
        start: 0.54,
        ..tone("mp2", PACKED, 44_100, 2)
    };
    check_as(
        "1.mpg",
        &written,
        &clip("mpeg", Some(shown), Some(heard)),
        CODED,
    );
}

/// The header claims the encoder's bit rate, which is not that of the blocks: a seek by it would be seconds off.
#[test]
fn wave_adpcm() {
    let adpcm = tone("adpcm_ima_wav", Sample::I16(Type::Planar), 44_100, 1);
    let bar = Bar {
        shift: 0,
        error: 0.05,
    };
    check("a.wav", &clip("wav", None, Some(adpcm)), bar);
}

#[test]
fn quicktime_mjpeg_and_long_pcm() {
    let pictures = pictures("mjpeg", Pixel::YUVJ420P);
    let long = Tone {
        seconds: 9.0,
        ..tone("pcm_s16le", PACKED, 48_000, 2)
    };
    check("j.mov", &clip("mov", Some(pictures), Some(long)), EXACT);
}

#[test]
fn flash_h264_and_aac() {
    let aac = tone("aac", PLANES, 44_100, 2);
    check(
        "f.flv",
        &later(clip("flv", Some(h264()), Some(aac)), 1),
        ROUNDED,
    );
}

#[test]
fn wave_8_khz_mono() {
    check(
        "m.wav",
        &clip("wav", None, Some(tone("pcm_s16le", PACKED, 8_000, 1))),
        EXACT,
    );
}

#[test]
fn wave_48_khz_with_six_channels() {
    check(
        "s.wav",
        &clip("wav", None, Some(tone("pcm_s16le", PACKED, 48_000, 6))),
        EXACT,
    );
}

#[test]
fn flac_alone() {
    check(
        "f.flac",
        &clip("flac", None, Some(tone("flac", PACKED, 44_100, 2))),
        EXACT,
    );
}

#[test]
fn ogg_vorbis_alone() {
    check(
        "v.ogg",
        &clip("ogg", None, Some(tone("libvorbis", PLANES, 44_100, 2))),
        CODED,
    );
}

#[test]
fn quicktime_aac_with_six_channels() {
    check(
        "s.mov",
        &clip("mov", None, Some(tone("aac", PLANES, 48_000, 6))),
        CODED,
    );
}

#[test]
fn ogg_opus_alone() {
    let opus = tone("libopus", PACKED, 48_000, 1);
    check("o.ogg", &clip("ogg", None, Some(opus)), CODED);
}

#[test]
fn mpegts_h264_and_aac_from_an_hour_on() {
    let aac = tone("aac", PLANES, 48_000, 2);
    let clip = later(clip("mpegts", Some(h264()), Some(aac)), 3_600);
    check("h.ts", &clip, CODED);
}

#[test]
fn matroska_variable_rate_and_early_sound() {
    let pictures = Pictures {
        times: uneven(),
        unit: 1000,
        ..h264()
    };
    let early = Tone {
        start: -0.6,
        ..tone("pcm_s16le", PACKED, 48_000, 2)
    };
    let clip = later(clip("matroska", Some(pictures), Some(early)), 1);
    check("early.mkv", &clip, ROUNDED);
}

#[test]
fn mp3_alone() {
    // The clock of an MP3 file begins with the encoder's delay: 576 samples of its own and 529 of the decoder's.
    let mp3 = Tone {
        lag: 1105.0 / 44_100.0,
        ..tone("libmp3lame", PLANES, 44_100, 2)
    };
    check("m.mp3", &clip("mp3", None, Some(mp3)), CODED);
}

/// After a seek the parser begins inside of a packet of several AC-3 frames.
#[test]
fn mpegps_ac3() {
    let ac3 = tone("ac3", PLANES, 48_000, 2);
    check("a.vob", &later(clip("vob", None, Some(ac3)), 1), CODED);
}
