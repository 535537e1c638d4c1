//! What the sampler and the loader ask of a data set, whether it is decoded from files or rendered.

use super::stats::Described;
use crate::error::Result;
use compiler::units::Exact;
use std::path::Path;
use tch::Tensor;

/// When a stream of a source clip begins and ends, in seconds on the clip's one clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// First presentation time.
    pub start: f64,
    /// End of the last frame.
    pub end: f64,
}

/// What one source clip offers.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Streams {
    /// Its pictures.
    pub video: Option<Limits>,
    /// Its sound.
    pub audio: Option<Limits>,
}

/// One span to read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Request {
    /// `frames` frames shown at `start + k / fps`.
    Video {
        /// Seconds on the clip's clock.
        start: f64,
        /// Number of frames.
        frames: u32,
        /// Frames per second.
        fps: Exact,
    },
    /// `samples` mono samples from `start` on.
    Audio {
        /// Seconds on the clip's clock.
        start: f64,
        /// Number of samples.
        samples: u32,
        /// Samples per second.
        rate: Exact,
    },
}

/// A decoded span.
#[derive(Debug)]
pub enum Ticks {
    /// `[T, H, W, 3]`, u8, RGB.
    Frames(Tensor),
    /// `[N]`, f32, full scale 1.
    Wave(Tensor),
}

/// What came out for one request.
#[derive(Debug)]
pub struct Span {
    /// The ticks, as many as were asked for.
    pub ticks: Ticks,
    /// Ticks before the first of the stream.
    pub before: u32,
    /// Ticks after the last of the stream.
    pub after: u32,
}

/// The clips of one data set. `clip` is a position in `0..len`; its meaning never changes within a data set.
pub trait ClipSource: Send + Sync {
    /// Number of clips, usable or not.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the clips are, for people: `files`, `shards`, `synthetic`.
    fn kind(&self) -> &'static str {
        "files"
    }

    /// The file or, for a rendered clip, its name: for messages.
    fn name(&self, clip: usize) -> String;

    /// The folder of this machine that names begin with, where clips are files.
    fn folder(&self) -> Option<&Path> {
        None
    }

    /// Class of the clip, in `0..classes()`.
    fn label(&self, clip: usize) -> Option<u32>;

    /// Names of the classes.
    fn classes(&self) -> &[String];

    /// The fold of the clip, from 1; for a set with fixed splits: 1 is test of split 1, 0 is training only.
    fn fold(&self, clip: usize) -> Option<u32>;

    /// The streams of the clip, from the index where there is one; opens the file otherwise.
    ///
    /// # Errors
    /// As [`ClipSource::read`].
    fn streams(&self, clip: usize) -> Result<Streams>;

    /// Reads the spans, all from one opening of the file, in the order asked for. Ticks that lie outside the stream follow
    /// the data set's rule for short sources.
    ///
    /// # Errors
    /// [`Error::Decode`](crate::error::Error::Decode) and [`Error::Io`](crate::error::Error::Io) where this clip cannot be read: a
    /// loader counts it and takes another one. Any other error ends the run.
    fn read(&self, clip: usize, requests: &[Request]) -> Result<Vec<Ticks>>;

    /// What the set holds, by so many declared splits; `None` for rendered clips.
    fn describe(&self, _splits: u32) -> Option<Described> {
        None
    }

    /// Hash of what the data are: names, sizes and labels, or the parameters of the rendering.
    fn fingerprint(&self) -> String;
}
