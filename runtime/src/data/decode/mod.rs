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
//! - **Damage.** A packet inside the span that the decoder refuses, or a frame it marks as damaged, is an error. Before the
//!   span both are passed over.

mod container;
mod pictures;
mod sound;
#[cfg(test)]
mod tests;

pub(super) use container::{Container, Pace, Track};

use crate::data::source::{Request, Span, Streams};
use crate::error::{Error, Result};
use container::Kind;
use ffmpeg_next as ff;
use pictures::Pictures;
use sound::Sound;
use std::path::Path;

/// Spans further apart than this are reached by a seek instead of decoding what lies between, seconds.
const WORTH_A_SEEK: f64 = 3.0;
/// A seek aims so much before the span, seconds, so that codecs that need earlier packets have them (opus asks for 80 ms).
const RUN_UP: f64 = 0.3;

/// When the streams of a file begin and end, as its headers say; where they are silent, the time stamps of all packets are
/// read. Nothing is decoded.
///
/// # Errors
/// [`Error::Decode`] where the file cannot be opened or has neither pictures nor sound.
pub fn streams(path: &Path) -> Result<Streams> {
    let pace = Pace::new();
    Container::open(path, &pace)?.limits(&pace)
}

/// Reads all `requests` from one opening of the file, in the order asked for.
///
/// # Errors
/// [`Error::Decode`] with the cause: the file cannot be opened, lacks a stream that is asked for, is damaged inside a span, or
/// took longer than [`Pace`] allows.
pub fn read(path: &Path, requests: &[Request]) -> Result<Vec<Span>> {
    let pace = Pace::new();
    let mut container = Container::open(path, &pace)?;
    let mut spans: Vec<Option<Span>> = requests.iter().map(|_| None).collect();
    let mut is_fresh = true;
    for group in groups(requests) {
        let start = group
            .iter()
            .map(|&at| extent(&requests[at]).0)
            .fold(f64::INFINITY, f64::min);
        let mut sought = false;
        if start - container.start() > WORTH_A_SEEK {
            sought = container.seek(start - RUN_UP);
        }
        if !sought && !is_fresh {
            container = Container::open(path, &pace)?;
        }
        let pass = match decode(&mut container, requests, &group, sought, &pace)? {
            Pass::Done(pass) => pass,
            // The seek landed after the span: decode from the start of the file instead.
            Pass::Late => {
                container = Container::open(path, &pace)?;
                match decode(&mut container, requests, &group, false, &pace)? {
                    Pass::Done(pass) => pass,
                    Pass::Late => unreachable!("only a pass after a seek is late"),
                }
            }
        };
        for (at, span) in pass {
            spans[at] = Some(span);
        }
        is_fresh = false;
    }
    Ok(spans
        .into_iter()
        .map(|span| span.expect("read: every request is in one group"))
        .collect())
}

/// When each frame of the pictures is shown, ascending, by the time stamps of the packets; and the unit of these, both in seconds.
///
/// # Errors
/// [`Error::Decode`] where the file cannot be opened, has no pictures, or has some without a time.
pub fn frame_times(path: &Path) -> Result<(Vec<f64>, f64)> {
    let pace = Pace::new();
    let mut container = Container::open(path, &pace)?;
    let track = container.video();
    let track = track.ok_or_else(|| container.error("it has no pictures".to_owned()))?;
    let (mut times, mut packet) = (Vec::new(), ff::Packet::empty());
    while let Some(kind) = container.next(&mut packet, &pace)? {
        if kind == Kind::Video {
            let time = packet.pts();
            let time = time.ok_or_else(|| container.error("a picture has no time".to_owned()))?;
            times.push(time as f64 * track.tick);
        }
    }
    times.sort_by(f64::total_cmp);
    times.dedup();
    Ok((times, track.tick))
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
    /// The first tick that came after a seek lies after the first one asked for, or none came.
    Late,
}

/// One pass over the packets from where the container stands.
fn decode(
    container: &mut Container,
    requests: &[Request],
    group: &[usize],
    sought: bool,
    pace: &Pace,
) -> Result<Pass> {
    let (mut pictures, mut sound) = (None, None);
    if group
        .iter()
        .any(|&at| matches!(requests[at], Request::Video { .. }))
    {
        pictures = Some(Pictures::new(container, requests, group)?);
    }
    if group
        .iter()
        .any(|&at| matches!(requests[at], Request::Audio { .. }))
    {
        sound = Some(Sound::new(container, requests, group)?);
    }
    let mut packet = ff::Packet::empty();
    loop {
        let pictures_done = pictures.as_ref().is_none_or(Pictures::is_done);
        let sound_done = sound.as_ref().is_none_or(Sound::is_done);
        if pictures_done && sound_done {
            break;
        }
        if sought
            && (pictures.as_ref().is_some_and(Pictures::is_late)
                || sound.as_ref().is_some_and(Sound::is_late))
        {
            return Ok(Pass::Late);
        }
        let Some(kind) = container.next(&mut packet, pace)? else {
            break;
        };
        match kind {
            Kind::Video if !pictures_done => {
                if let Some(pictures) = &mut pictures {
                    pictures
                        .take(Some(&packet))
                        .map_err(|cause| container.error(cause))?;
                }
            }
            Kind::Audio if !sound_done => {
                if let Some(sound) = &mut sound {
                    sound
                        .take(Some(&packet))
                        .map_err(|cause| container.error(cause))?;
                }
            }
            Kind::Video | Kind::Audio | Kind::Other => {}
        }
    }
    let mut spans = Vec::new();
    if let Some(mut pictures) = pictures {
        if !pictures.is_done() {
            pictures
                .take(None)
                .map_err(|cause| container.error(cause))?;
        }
        if sought && (pictures.is_late() || !pictures.has_begun()) {
            return Ok(Pass::Late);
        }
        spans.extend(pictures.finish().map_err(|cause| container.error(cause))?);
    }
    if let Some(mut sound) = sound {
        if !sound.is_done() {
            sound.take(None).map_err(|cause| container.error(cause))?;
        }
        if sought && (sound.is_late() || !sound.has_begun()) {
            return Ok(Pass::Late);
        }
        spans.extend(sound.finish().map_err(|cause| container.error(cause))?);
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
