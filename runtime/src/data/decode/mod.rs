//! Spans of pictures and sound out of a media file, by presentation time, through FFmpeg in this process.
//!
//! Times are seconds on the file's own clock, that of its presentation time stamps: a file whose first frame is shown at
//! 10 s has nothing at 0 s, and sound that starts late is late. Rules:
//! - **Pictures.** The tick `k` of a request is shown at `t = start + k / fps`. Its frame is the last one whose presentation
//!   time is at most `t` plus half a tick of the stream's time base (time stamps are rounded to that grid). This is the
//!   released rule, "frame number `floor((t - stream start) * fps)`", read by time stamps, so that it also holds where the
//!   frame rate varies. Nothing is interpolated; a frame is repeated where the file has fewer per second than asked for.
//! - **Sound.** Sample `n` of a request is that of position `round(start * rate) + n` on the grid of whole samples of the
//!   file's clock. Channels are mixed to one with the weights of libswresample, scaled so that nothing clips, and resampled
//!   by it; what comes out does not depend on where decoding began. Holes in the time stamps are zeros.
//! - **Outside.** Ticks before the first or after the last of the stream repeat the first or last frame; samples there are
//!   zeros. [`Span`] says how many there are: the caller decides what that means.
//! - **Damage.** A packet that the decoder refuses, or a frame that it marks as damaged, is an error where a frame that is wanted
//!   may build on it: from the last key frame before it on. Damaged sound is an error inside the span.
//!
//! Decoding begins at a key frame at or before the span; sound is decoded from [`RUN_UP`] before it on, wherever the seek
//! landed, so that the same request gives the same bits by every route: with a [`Scan`], by trial, from the start of the file.

mod container;
#[cfg(test)]
pub(super) mod exact;
mod pictures;
mod scan;
mod sound;
#[cfg(test)]
mod tests;

pub(crate) use container::prepare;
pub(super) use container::{Container, Pace, Track};
pub use scan::{Frames, Samples, Scan, scan};

use crate::data::source::{Request, Span, Streams};
use crate::error::{Error, Result};
use crate::parts::{Part, measured};
use compiler::units::Exact;
use container::Kind;
use ffmpeg_next as ff;
use pictures::Pictures;
use sound::Sound;
use std::path::Path;
use tch::Tensor;

/// Spans further apart than this are reached by a seek instead of decoding what lies between, seconds.
const WORTH_A_SEEK: f64 = 3.0;
/// Sound is decoded from so much before the span on, seconds: codecs need earlier packets (opus asks for 80 ms, MP3 for its
/// reservoir of some frames).
const RUN_UP: f64 = 0.3;
/// Where nothing came out of the decoder from there on, so much before it, seconds: behind the last sound, or a codec that decodes
/// nothing. Some give nothing for their first packets.
const LONGER_RUN_UPS: [f64; 2] = [4.0, f64::INFINITY];
/// Seeks of a reading without a scan aim so much before the span, seconds, one after the other until one is not late.
const TRIALS: [f64; 3] = [RUN_UP, 4.0, 15.0];
/// With a scan, packets of so much time are passed over rather than sought, seconds.
const NEAR: f64 = 0.25;
/// The most bytes that one reading may ask for.
const MAX_BYTES: u64 = 2 << 30;

/// When the streams of a file begin and end, by the time stamps of its packets. Nothing is decoded.
///
/// # Errors
/// As [`scan`].
pub fn streams(path: &Path) -> Result<Streams> {
    scan(path).map(|scan| scan.streams())
}

/// Reads all `requests` from one opening of the file, in the order asked for. A scan of the same file spares searching; what
/// comes out is the same with and without it, and a scan of another file only costs time.
///
/// # Errors
/// [`Error::Decode`] with the cause: the file cannot be opened, lacks a stream that is asked for, is damaged inside a span, or
/// took longer than [`Pace`] allows.
pub fn read(path: &Path, scan: Option<&Scan>, requests: &[Request]) -> Result<Vec<Span>> {
    let mut routes: Vec<Route<'_>> = scan.map(Route::Scanned).into_iter().collect();
    routes.extend(TRIALS.map(Route::Sought));
    routes.push(Route::Whole);
    read_by(path, &routes, requests)
}

/// What [`read`] gives, by decoding from the start of the file: slow, and without anything that could go wrong in a seek.
///
/// # Errors
/// As [`read`].
pub fn read_whole(path: &Path, requests: &[Request]) -> Result<Vec<Span>> {
    read_by(path, &[Route::Whole], requests)
}

/// A way to the packets of a span.
#[derive(Clone, Copy)]
enum Route<'a> {
    /// The scan says at which key frame to begin.
    Scanned(&'a Scan),
    /// A seek so many seconds before the span.
    Sought(f64),
    /// All packets from the start of the file.
    Whole,
}

fn read_by(path: &Path, routes: &[Route<'_>], requests: &[Request]) -> Result<Vec<Span>> {
    let pace = Pace::new();
    let open = || measured(Part::Open, || open(path, &pace, requests));
    let (mut container, mut is_fresh) = (open()?, true);
    let mut spans: Vec<Option<Span>> = requests.iter().map(|_| None).collect();
    for group in groups(requests) {
        let mut pass = Pass::Late;
        let run_ups = || std::iter::once(RUN_UP).chain(LONGER_RUN_UPS);
        let ways = routes
            .iter()
            .flat_map(|&route| run_ups().map(move |run_up| (route, run_up)));
        for (route, run_up) in ways {
            // Another run-up than the first only serves what was mute with the one before.
            if run_up > RUN_UP && !matches!(pass, Pass::Mute) {
                continue;
            }
            let sought = match aim(&container, route, requests, &group, run_up) {
                Aim::Nowhere => continue,
                Aim::Start => false,
                Aim::Seek(target) => {
                    is_fresh = false;
                    if !container.seek(target) {
                        pass = Pass::Late;
                        continue;
                    }
                    true
                }
            };
            if !sought && !is_fresh {
                container = open()?;
            }
            is_fresh = false;
            let done = measured(Part::Decode, || {
                let way = Way {
                    route,
                    run_up,
                    sought,
                };
                decode(&mut container, requests, &group, way, &pace)
            });
            pass = match (done, route) {
                (Ok(pass), _) => pass,
                // What the scan promised did not come: whether the file is damaged there, the other routes find out.
                (Err(_), Route::Scanned(_)) if !pace.is_over() => Pass::Late,
                (Err(error), _) => return Err(error),
            };
            if matches!(pass, Pass::Done(_)) {
                break;
            }
        }
        let Pass::Done(pass) = pass else {
            return Err(broken(path, "nothing can be decoded".to_owned()));
        };
        for (at, span) in pass {
            spans[at] = Some(span);
        }
    }
    Ok(spans
        .into_iter()
        .map(|span| span.expect("read: every request is in one group"))
        .collect())
}

/// The frames shown at these `moments`, ascending, by the rule of [`read`], in one pass from the start of the file: each is handed to
/// `take` as it comes, with its place, u8 `[H, W, 3]`. `length` is for how long the file plays, seconds: a pass may take as long
/// beside the time that every reading has.
///
/// # Errors
/// As [`read`], and those of `take`.
pub fn each_frame(
    path: &Path,
    moments: &[f64],
    length: f64,
    take: &mut dyn FnMut(usize, &Tensor) -> Result<()>,
) -> Result<()> {
    let pace = Pace::with(length);
    let request = |&start: &f64| Request::Video {
        start,
        frames: 1,
        fps: Exact::whole(1),
    };
    let requests: Vec<Request> = moments.iter().map(request).collect();
    let all: Vec<usize> = (0..requests.len()).collect();
    let mut container = open(path, &pace, &requests)?;
    let mut pictures = Pictures::new(&container, &requests, &all, None, false)?;
    let mut done = 0;
    let mut hand_out = |pictures: &mut Pictures| -> Result<()> {
        for frame in pictures.take_served() {
            take(done, &frame)?;
            done += 1;
        }
        Ok(())
    };
    decode_pictures(&mut container, &mut pictures, &pace, &mut hand_out)?;
    if !pictures.is_done() {
        let ended = pictures.take(None).and_then(|()| pictures.end());
        ended.map_err(|cause| container.error(cause))?;
        hand_out(&mut pictures)?;
    }
    Ok(())
}

/// Decodes the pictures of a file to its end, or until nothing more is asked for; `behind` is called behind each packet.
fn decode_pictures(
    container: &mut Container,
    pictures: &mut Pictures,
    pace: &Pace,
    behind: &mut dyn FnMut(&mut Pictures) -> Result<()>,
) -> Result<()> {
    let mut packet = ff::Packet::empty();
    while !pictures.is_done()
        && let Some(kind) = container.next(&mut packet, pace)?
    {
        if let Kind::Video = kind {
            let taken = pictures.take(Some(&packet));
            taken.map_err(|cause| container.error(cause))?;
            behind(pictures)?;
        }
    }
    Ok(())
}

/// When each frame of the pictures is shown, ascending, and the unit of the time stamps, both in seconds. By the time stamps of the
/// packets, or, where some have none (B-frames in AVI), by decoding all of them.
///
/// # Errors
/// [`Error::Decode`] where the file cannot be opened or has no pictures.
pub fn frame_times(path: &Path) -> Result<(Vec<f64>, f64)> {
    let frames = scan(path)?.video;
    let frames = frames.ok_or_else(|| broken(path, "it has no pictures".to_owned()))?;
    let tick = frames.tick();
    let times = match frames.is_exact {
        true => frames
            .times
            .iter()
            .map(|&units| units as f64 * tick)
            .collect(),
        false => decoded_times(
            path,
            frames
                .times
                .last()
                .map_or(0.0, |last| (last - frames.times[0]) as f64 * tick),
        )?,
    };
    Ok((times, tick))
}

/// When each frame of a file that plays for `length` seconds is shown by what comes out of the decoder, ascending, seconds.
fn decoded_times(path: &Path, length: f64) -> Result<Vec<f64>> {
    let pace = Pace::with(length);
    // A moment that never comes: all that goes before it is decoded.
    let requests = [Request::Video {
        start: f64::MAX,
        frames: 1,
        fps: Exact::whole(1),
    }];
    let mut container = open(path, &pace, &requests)?;
    let mut pictures = Pictures::new(&container, &requests, &[0], None, false)?;
    decode_pictures(&mut container, &mut pictures, &pace, &mut |_| Ok(()))?;
    let taken = pictures.take(None);
    taken.map_err(|cause| container.error(cause))?;
    let mut times = pictures.shown_at();
    times.sort_by(f64::total_cmp);
    times.dedup();
    match times.is_empty() {
        true => Err(broken(path, "no picture can be decoded".to_owned())),
        false => Ok(times),
    }
}

/// Opens the file for these requests.
fn open(path: &Path, pace: &Pace, requests: &[Request]) -> Result<Container> {
    let is_video = |request: &Request| matches!(request, Request::Video { .. });
    let mut container = Container::open(path, pace)?;
    container.keep(
        requests.iter().any(is_video),
        !requests.iter().all(is_video),
    );
    Ok(container)
}

/// Where a pass begins.
#[derive(Clone, Copy)]
enum Aim {
    /// At the first packet of the file.
    Start,
    /// Where a seek to this moment lands, seconds.
    Seek(f64),
    /// The route does not serve the requests.
    Nowhere,
}

/// Where the route begins; sound is decoded from `run_up` seconds before it is wanted.
fn aim(
    container: &Container,
    route: Route<'_>,
    requests: &[Request],
    group: &[usize],
    run_up: f64,
) -> Aim {
    let first_of = |is_wanted: fn(&Request) -> bool| {
        let starts = group
            .iter()
            .map(|&at| &requests[at])
            .filter(|r| is_wanted(r));
        starts
            .map(|request| extent(request).0)
            .min_by(f64::total_cmp)
    };
    let video = first_of(|request| matches!(request, Request::Video { .. }));
    let audio = first_of(|request| matches!(request, Request::Audio { .. }));
    if audio.is_some() && container.counts_sound() {
        return Aim::Start;
    }
    let settling = audio.map_or(0.0, |_| container.settling());
    let target = match route {
        Route::Whole => return Aim::Start,
        Route::Sought(before) => {
            let start = video
                .unwrap_or(f64::INFINITY)
                .min(audio.unwrap_or(f64::INFINITY));
            if start - container.start() <= WORTH_A_SEEK
                || video.is_some() && container.stamps_drift()
            {
                return Aim::Nowhere;
            }
            if run_up.is_infinite() {
                return Aim::Start;
            }
            start - before.max(run_up + 0.05) - settling
        }
        Route::Scanned(scan) => {
            let mut target = f64::INFINITY;
            if let Some(start) = video {
                let frames = scan.video.as_ref().filter(|frames| container.is_of(frames));
                let key = frames.and_then(|frames| {
                    let key = frames.key_for(frames.shown_at(start)?)?;
                    // Half a unit later, so that rounding does not lead to the key frame before.
                    Some((key as f64 + 0.5) * frames.tick())
                });
                let Some(key) = key else {
                    return Aim::Nowhere;
                };
                target = key;
            }
            if let Some(start) = audio {
                let Some(samples) = scan.audio else {
                    return Aim::Nowhere;
                };
                let (above, below) = samples.unit;
                // To the grid on which sound is read.
                let begin = sound::begin(container, start - 1e-3, run_up);
                if begin <= samples.first as f64 * f64::from(above) / f64::from(below) {
                    return Aim::Start;
                }
                target = target.min(begin - settling);
            }
            if target - container.start() <= NEAR {
                return Aim::Start;
            }
            target
        }
    };
    Aim::Seek(target)
}

/// First and last moment of a request, in seconds.
fn extent(request: &Request) -> (f64, f64) {
    match request {
        Request::Video { start, frames, fps } => {
            (*start, start + f64::from(*frames) / fps.to_f64())
        }
        Request::Audio {
            start,
            samples,
            rate,
        } => (*start, start + f64::from(*samples) / rate.to_f64()),
    }
}

/// Positions of requests that are read in one pass, by time: spans that overlap or lie close to one another.
fn groups(requests: &[Request]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..requests.len()).collect();
    order.sort_by(|&a, &b| extent(&requests[a]).0.total_cmp(&extent(&requests[b]).0));
    let mut groups: Vec<(f64, Vec<usize>)> = Vec::new();
    for at in order {
        let (start, end) = extent(&requests[at]);
        match groups.last_mut() {
            Some((until, group)) if start <= *until + WORTH_A_SEEK => {
                *until = until.max(end);
                group.push(at);
            }
            _ => groups.push((end, vec![at])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// How a pass over the packets ended.
enum Pass {
    /// All requests of the group are served.
    Done(Vec<(usize, Span)>),
    /// The pass began too late for what is asked for, or did not find what the scan has.
    Late,
    /// All sound that went into the decoder came too shortly before the span for anything to come out.
    Mute,
}

/// How a pass goes: on which route, with sound from so many seconds before it is wanted, and whether it begins at a seek.
#[derive(Clone, Copy)]
struct Way<'a> {
    route: Route<'a>,
    run_up: f64,
    sought: bool,
}

/// One pass over the packets from where the container stands.
fn decode(
    container: &mut Container,
    requests: &[Request],
    group: &[usize],
    way: Way<'_>,
    pace: &Pace,
) -> Result<Pass> {
    let Way {
        route,
        run_up,
        sought,
    } = way;
    let has = |is_wanted: fn(&Request) -> bool| group.iter().any(|&at| is_wanted(&requests[at]));
    let (mut pictures, mut sound) = (None, None);
    if has(|request| matches!(request, Request::Video { .. })) {
        let frames = match route {
            Route::Scanned(scan) => scan.video.as_ref(),
            Route::Sought(_) | Route::Whole => None,
        };
        let new = Pictures::new(container, requests, group, frames, sought)?;
        new.check_size().map_err(|cause| container.error(cause))?;
        pictures = Some(new);
    }
    if has(|request| matches!(request, Request::Audio { .. })) {
        sound = Some(Sound::new(container, requests, group, sought, run_up)?);
    }
    let failed = |container: &Container, cause| container.error(cause);
    let mut packet = ff::Packet::empty();
    loop {
        let pictures_done = pictures.as_ref().is_none_or(Pictures::is_done);
        let sound_done = sound.as_ref().is_none_or(Sound::is_done);
        if pictures_done && sound_done {
            break;
        }
        if pictures.as_ref().is_some_and(Pictures::is_late)
            || sound.as_ref().is_some_and(Sound::is_late)
        {
            return Ok(Pass::Late);
        }
        let Some(kind) = container.next(&mut packet, pace)? else {
            break;
        };
        let taken = match (kind, &mut pictures, &mut sound) {
            (Kind::Video, Some(pictures), _) if !pictures_done => pictures.take(Some(&packet)),
            (Kind::Audio, _, Some(sound)) if !sound_done => sound.take(Some(&packet)),
            (Kind::Video | Kind::Audio | Kind::Other, _, _) => Ok(()),
        };
        taken.map_err(|cause| failed(container, cause))?;
    }
    let mut spans = Vec::new();
    if let Some(mut pictures) = pictures {
        if !pictures.is_done() {
            let taken = pictures.take(None);
            taken.map_err(|cause| failed(container, cause))?;
        }
        if pictures.is_late() || sought && !pictures.has_begun() {
            return Ok(Pass::Late);
        }
        spans.extend(
            pictures
                .finish()
                .map_err(|cause| failed(container, cause))?,
        );
    }
    if let Some(mut sound) = sound {
        if !sound.is_done() {
            let taken = sound.take(None);
            taken.map_err(|cause| failed(container, cause))?;
        }
        if sound.is_late() || sought && !sound.has_begun() {
            return Ok(Pass::Late);
        }
        if sound.is_mute() {
            return Ok(Pass::Mute);
        }
        spans.extend(sound.finish().map_err(|cause| failed(container, cause))?);
    }
    Ok(Pass::Done(spans))
}

/// What the decoder says about an error code, in words.
#[allow(clippy::wildcard_enum_match_arm)] // FFmpeg's list grows; its own words serve for the rest
pub(super) fn words(error: ff::Error) -> String {
    match error {
        ff::Error::InvalidData => "the data are damaged, or not those of a media file".to_owned(),
        ff::Error::Exit => format!("it took longer than {} s", container::PATIENCE.as_secs()),
        ff::Error::Eof => "the file ends too early".to_owned(),
        ff::Error::DecoderNotFound => "this build of FFmpeg has no decoder for it".to_owned(),
        other => other.to_string(),
    }
}

/// Whether the decoder only asks for more input, or has given all that it had.
pub(super) fn is_pause(error: ff::Error) -> bool {
    matches!(
        error,
        ff::Error::Eof
            | ff::Error::Other {
                errno: ff::error::EAGAIN
            }
    )
}

/// An [`Error::Decode`] for the file.
fn broken(path: &Path, cause: String) -> Error {
    Error::Decode {
        path: path.to_owned(),
        cause,
    }
}
