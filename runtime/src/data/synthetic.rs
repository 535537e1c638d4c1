//! Clips rendered on the fly, for tests and for the toy form of every experiment.
//!
//! A textured shape moves over a textured ground; a tone follows its height after the data set's `lag`. The class sets the shape
//! and the way it moves, and likewise the timbre of the tone and how it swells. Either modality names the class by itself, so
//! that the scores of both mean something; neither does so easily, for size, speed, place, colours, pitch and noise are the clip's
//! own. What is seen and heard is a function of (seed, clip, time): any window at any rate, in any order.

mod picture;
mod tone;

use super::source::{ClipSource, Limits, Request, Streams, Ticks};
use crate::augment::Key;
use crate::error::{Error, Result};
use compiler::hir;
use picture::{Picture, SHAPES, SIDE};
use std::f64::consts::TAU;
use tch::Tensor;
use tone::{TIMBRES, Tone};

/// Raised whenever the same parameters would give other pictures or sounds.
const RENDERER: u32 = 1;

/// The rendered clips of one [`hir::Synthetic`].
#[derive(Clone, Debug)]
pub struct RenderedClips {
    parameters: hir::Synthetic,
    classes: Vec<String>,
}

impl RenderedClips {
    /// The clips of a declaration.
    pub fn new(parameters: &hir::Synthetic) -> Self {
        let classes = (0..parameters.classes)
            .map(|class| Traits::of(class).name())
            .collect();
        Self {
            parameters: parameters.clone(),
            classes,
        }
    }

    fn has(&self, stream: &str) -> bool {
        self.parameters.streams.iter().any(|s| s == stream)
    }

    fn class(&self, clip: usize) -> u32 {
        clip as u32 % self.parameters.classes.max(1)
    }

    fn key(&self, clip: usize) -> Key {
        Key::at(self.parameters.seed, &format!("synthetic/{clip}"))
    }

    fn missing(&self, clip: usize, stream: &str) -> Error {
        Error::Data {
            name: "synthetic".to_owned(),
            message: format!("{} has no stream `{stream}`", self.name(clip)),
            help: format!("add `{stream}` to the `streams` of the data set"),
        }
    }
}

impl ClipSource for RenderedClips {
    fn len(&self) -> usize {
        self.parameters.clips as usize
    }

    fn kind(&self) -> &'static str {
        "synthetic"
    }

    fn name(&self, clip: usize) -> String {
        format!("rendered clip {clip}")
    }

    fn label(&self, clip: usize) -> Option<u32> {
        Some(self.class(clip))
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn fold(&self, clip: usize) -> Option<u32> {
        Some(self.parameters.fold(clip as u32))
    }

    fn streams(&self, _clip: usize) -> Result<Streams> {
        let whole = Limits {
            start: 0.0,
            end: self.parameters.length.to_f64(),
        };
        Ok(Streams {
            video: self.has("v").then_some(whole),
            audio: self.has("a").then_some(whole),
        })
    }

    /// What lies outside the length of the clip is rendered too: shape and tone go on.
    fn read(&self, clip: usize, requests: &[Request]) -> Result<Vec<Ticks>> {
        let traits = Traits::of(self.class(clip));
        let key = self.key(clip);
        let motion = Motion::draw(&key, traits.motion);
        let one = |request: &Request| match *request {
            Request::Video { start, frames, fps } if self.has("v") => {
                let picture = Picture::draw(&key, traits.shape, traits.extra);
                let pixels = picture.render(&motion, start, frames as usize, fps.to_f64());
                let side = SIDE as i64;
                Ok(Ticks::Frames(Tensor::from_slice(&pixels).view([
                    i64::from(frames),
                    side,
                    side,
                    3,
                ])))
            }
            Request::Audio {
                start,
                samples,
                rate,
            } if self.has("a") => {
                let tone = Tone::draw(&key, traits.timbre, traits.swell, traits.extra);
                let lag = self.parameters.lag.to_f64();
                let wave = tone.render(&motion, lag, start, samples as usize, rate.to_f64());
                Ok(Ticks::Wave(Tensor::from_slice(&wave)))
            }
            Request::Video { .. } => Err(self.missing(clip, "v")),
            Request::Audio { .. } => Err(self.missing(clip, "a")),
        };
        requests.iter().map(one).collect()
    }

    fn fingerprint(&self) -> String {
        let hir::Synthetic {
            clips,
            classes,
            length,
            lag,
            seed,
            streams,
            splits,
        } = &self.parameters;
        let text = format!(
            "synthetic {RENDERER} {clips} {classes} {length} {lag} {seed} {streams:?} {splits}"
        );
        blake3::hash(text.as_bytes()).to_hex().to_string()
    }
}

/// What the class decides. Six shapes and five motions pair up so that each of 30 classes has a pair of its own, and likewise six
/// timbres and five swells; every further 30 classes differ by `extra`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Traits {
    shape: usize,
    motion: usize,
    timbre: usize,
    swell: usize,
    extra: u32,
}

impl Traits {
    fn of(class: u32) -> Self {
        let first = class as usize % 6;
        let second = (class as usize % 30 + class as usize % 30 / 6) % 5;
        Self {
            shape: first,
            motion: second,
            timbre: first,
            swell: second,
            extra: class / 30,
        }
    }

    fn name(self) -> String {
        let Self {
            shape,
            motion,
            timbre,
            extra,
            ..
        } = self;
        let name = format!("{} {}, {}", SHAPES[shape], MOTIONS[motion], TIMBRES[timbre]);
        if extra == 0 {
            name
        } else {
            format!("{name}, {extra}")
        }
    }
}

const MOTIONS: [&str; 5] = [
    "up and down",
    "in a circle",
    "in an eight",
    "in a zigzag",
    "bouncing",
];

/// The path of a shape.
#[derive(Clone, Debug)]
struct Motion {
    kind: usize,
    /// Turns per second, turns at time 0, and 1 or -1 for the side to which it starts.
    main: (f64, f64, f64),
    /// Turns per second and turns at time 0 of a small swing of the clip's own.
    swing: (f64, f64),
    /// Turns per second and turns at time 0 of a slow drift to the sides.
    drift: (f64, f64),
}

impl Motion {
    fn draw(key: &Key, kind: usize) -> Self {
        let mut draws = key.draws("motion");
        let mut wave = |slow, fast| (draws.uniform(slow, fast), draws.unit());
        let (main, swing, drift) = (wave(0.5, 1.0), wave(1.1, 1.9), wave(0.1, 0.3));
        let side = if draws.flip(0.5) { 1.0 } else { -1.0 };
        Self {
            kind,
            main: (main.0, main.1, side),
            swing,
            drift,
        }
    }

    /// Where the shape is at a time: to the right and up, each in -1..=1.
    fn at(&self, time: f64) -> (f64, f64) {
        let turns = |(rate, start): (f64, f64)| (rate * time + start) * TAU;
        let (rate, start, side) = self.main;
        let angle = turns((rate, start));
        let drift = turns(self.drift).sin();
        let (x, y) = match self.kind {
            0 => (drift, angle.sin()),
            1 => (angle.cos(), angle.sin()),
            2 => ((angle / 2.0).cos(), angle.sin()),
            // A triangle wave.
            3 => (drift, angle.sin().asin() / (TAU / 4.0)),
            // The arcs of a ball.
            _ => (drift, 2.0 * (angle / 2.0).sin().abs() - 1.0),
        };
        (0.9 * side * x, 0.8 * y + 0.2 * turns(self.swing).sin())
    }

    /// How high the shape is at a time, -1..=1.
    fn height(&self, time: f64) -> f64 {
        self.at(time).1
    }
}

/// Noise of 32 bits that belongs to a number.
fn scramble(mut x: u32) -> u32 {
    x = (x ^ x >> 16).wrapping_mul(0x7feb_352d);
    x = (x ^ x >> 15).wrapping_mul(0x846c_a68b);
    x ^ x >> 16
}

#[cfg(test)]
mod tests;
