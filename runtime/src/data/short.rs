//! What becomes of spans that reach beyond their source: the data set's rule for short clips, the same for files and for shards.

use super::sampler::SLACK;
use super::source::{Limits, Request, Span, Streams, Ticks};
use crate::error::{Error, Result};
use compiler::hir::Short;
use std::path::Path;
use tch::Tensor;

/// Reads the requests by the rule: `spans` gives what the source at `path` has for each span, in their order.
///
/// # Errors
/// Those of `spans`; [`Error::Decode`] where a source that is not filled up is shorter than its header says.
pub fn read(
    short: Short,
    streams: &Streams,
    requests: &[Request],
    path: &Path,
    spans: impl FnOnce(&[Request]) -> Result<Vec<Span>>,
) -> Result<Vec<Ticks>> {
    let pieces: Vec<Vec<Request>> = requests
        .iter()
        .map(|request| pieces(short, request, streams))
        .collect();
    let flat: Vec<Request> = pieces.iter().flatten().copied().collect();
    let mut spans = spans(&flat)?.into_iter();
    let mut ticks = Vec::with_capacity(requests.len());
    for pieces in &pieces {
        let mut parts = Vec::with_capacity(pieces.len());
        for (request, span) in pieces.iter().zip(spans.by_ref()) {
            if matches!(short, Short::Skip | Short::Error) {
                check(request, &span).map_err(|cause| Error::Decode {
                    path: path.to_owned(),
                    cause,
                })?;
            }
            parts.push(span.ticks);
        }
        ticks.push(join(parts));
    }
    Ok(ticks)
}

/// The request, or for a source that is repeated the pieces of it that the request covers.
fn pieces(short: Short, request: &Request, streams: &Streams) -> Vec<Request> {
    let (limits, ticks, rate) = match request {
        Request::Video { frames, fps, .. } => (streams.video, *frames, fps.to_f64()),
        Request::Audio { samples, rate, .. } => (streams.audio, *samples, rate.to_f64()),
    };
    match limits {
        Some(limits) if short == Short::Loop => loops(start_of(request), ticks, rate, limits)
            .into_iter()
            .map(|(start, ticks)| part_of(request, start, ticks))
            .collect(),
        _ => vec![*request],
    }
}

fn start_of(request: &Request) -> f64 {
    match request {
        Request::Video { start, .. } | Request::Audio { start, .. } => *start,
    }
}

fn part_of(request: &Request, start: f64, ticks: u32) -> Request {
    match *request {
        Request::Video { fps, .. } => Request::Video {
            start,
            frames: ticks,
            fps,
        },
        Request::Audio { rate, .. } => Request::Audio {
            start,
            samples: ticks,
            rate,
        },
    }
}

/// Runs of ticks `(start, number)` of a source that is repeated from end to start.
fn loops(start: f64, ticks: u32, rate: f64, limits: Limits) -> Vec<(f64, u32)> {
    let length = limits.end - limits.start;
    if start + f64::from(ticks) / rate <= limits.end + SLACK || length * rate < 1.0 {
        return vec![(start, ticks)];
    }
    let mut runs = Vec::new();
    let mut tick = 0;
    while tick < ticks {
        let at = limits.start + (start + f64::from(tick) / rate - limits.start).rem_euclid(length);
        let left = ((limits.end - at) * rate - 1e-6).ceil().max(1.0) as u32;
        let run = left.min(ticks - tick);
        runs.push((at, run));
        tick += run;
    }
    runs
}

/// A span of a source that is not filled up may lack [`SLACK`] at either end, and one frame.
fn check(request: &Request, span: &Span) -> std::result::Result<(), String> {
    let (rate, slack) = match request {
        Request::Video { fps, .. } => (fps.to_f64(), (SLACK * fps.to_f64()).ceil()),
        Request::Audio { rate, .. } => (rate.to_f64(), (SLACK * rate.to_f64()).ceil()),
    };
    let lacks = f64::from(span.before.max(span.after));
    if lacks > slack {
        let end = if span.before > span.after {
            "before it begins"
        } else {
            "after its end"
        };
        let stream = if matches!(span.ticks, Ticks::Frames(_)) {
            "pictures"
        } else {
            "sound"
        };
        return Err(format!(
            "{:.3} s of {stream} are asked for {end}: the file is shorter than its header says",
            lacks / rate
        ));
    }
    Ok(())
}

/// Pieces one after the other.
fn join(mut parts: Vec<Ticks>) -> Ticks {
    if parts.len() == 1
        && let Some(only) = parts.pop()
    {
        return only;
    }
    let is_video = matches!(parts.first(), Some(Ticks::Frames(_)));
    let tensors: Vec<Tensor> = parts
        .into_iter()
        .map(|part| match part {
            Ticks::Frames(ticks) | Ticks::Wave(ticks) => ticks,
        })
        .collect();
    let whole = Tensor::cat(&tensors, 0);
    if is_video {
        Ticks::Frames(whole)
    } else {
        Ticks::Wave(whole)
    }
}
