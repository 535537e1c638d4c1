//! Clips for evaluation: each sample's windows, read on several threads and handed out in order.

use super::admission::{Tally, cause, name_of, short_of, too_short};
use super::loader::Options;
use super::ordered::Ordered;
use super::reading::request;
use super::sampler::{SLACK, Unfit};
use super::source::{ClipSource, Limits, Streams, Ticks};
use super::views::make_views;
use crate::augment::Key;
use crate::error::{Error, Result};
use compiler::hir::{self, Clip, Clips, Short};
use std::collections::BTreeMap;
use std::sync::Arc;
use tch::Tensor;

/// Which clips of a protocol are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `train` of the protocol: augmented.
    Train,
    /// `test` of the protocol: not augmented.
    Test,
}

/// What came of one sample.
#[derive(Debug)]
pub enum Read {
    /// Its views.
    Views {
        /// Position in the data set.
        clip: usize,
        /// `[n, 3, T, H, W]` or `[n, 1, bands, columns]`, in order of time for evenly spaced windows.
        views: Tensor,
    },
    /// It cannot be used.
    LeftOut {
        /// Position in the data set.
        clip: usize,
        /// Its name and why.
        note: String,
    },
}

/// Reads the clips of an evaluation.
pub struct Reader {
    samples: Ordered<(u32, std::result::Result<Tensor, Refusal>)>,
    source: Arc<dyn ClipSource>,
    tally: Tally,
    is_over: bool,
}

/// Why a sample has no views.
enum Refusal {
    /// By the data set's rules.
    Unfit(String),
    /// Its file cannot be read.
    Bad(String),
    /// The run cannot go on.
    Stop(Error),
}

impl Reader {
    /// Starts the threads on the samples `clips`, in their order. `options.first_step` is not used; `options.ahead` counts
    /// samples for each thread.
    pub fn new(
        source: Arc<dyn ClipSource>,
        eval: &hir::Eval,
        role: Role,
        clips: Vec<u32>,
        seed: u64,
        options: &Options,
    ) -> Self {
        // A part of the set may have more bad files than the set.
        let tally = Tally::new(name_of(&eval.data), options.max_bad_share, source.len());
        let (of, eval) = (Arc::clone(&source), eval.clone());
        let ahead = options.ahead.max(1) * options.threads.max(1);
        let samples = Ordered::new(0..clips.len() as u64, options.threads, ahead, move |at| {
            let clip = clips[at as usize];
            (clip, views(of.as_ref(), &eval, role, clip, seed))
        });
        Self {
            samples,
            source,
            tally,
            is_over: false,
        }
    }

    /// Files that could not be read so far, and why.
    pub fn failed(&self) -> &BTreeMap<String, String> {
        &self.tally.failed
    }
}

impl Iterator for Reader {
    type Item = Result<Read>;

    fn next(&mut self) -> Option<Result<Read>> {
        let Some((clip, views)) = self.samples.next() else {
            let was_over = std::mem::replace(&mut self.is_over, true);
            return self.tally.finish().err().filter(|_| !was_over).map(Err);
        };
        self.tally.tried.insert(clip);
        let name = self.source.name(clip as usize);
        let clip = clip as usize;
        Some(match views {
            Ok(views) => Ok(Read::Views { clip, views }),
            Err(Refusal::Unfit(cause)) => Ok(Read::LeftOut {
                clip,
                note: format!("{name}: {cause}"),
            }),
            Err(Refusal::Bad(cause)) => {
                let note = format!("{name}: {cause}");
                self.tally.failed.insert(name, cause);
                self.tally.check().map(|()| Read::LeftOut { clip, note })
            }
            Err(Refusal::Stop(error)) => Err(error),
        })
    }
}

/// All views of one sample.
fn views(
    source: &dyn ClipSource,
    eval: &hir::Eval,
    role: Role,
    clip: u32,
    seed: u64,
) -> std::result::Result<Tensor, Refusal> {
    let refuse = |error| {
        if matches!(error, Error::Decode { .. } | Error::Io { .. }) {
            Refusal::Bad(cause(error))
        } else {
            Refusal::Stop(error)
        }
    };
    let (clips, chain) = match role {
        Role::Train => (eval.train, Some(&eval.augment)),
        Role::Test => (eval.test, None),
    };
    let key = Key::new(seed, u64::from(clip), 0).child(match role {
        Role::Train => "train",
        Role::Test => "test",
    });
    let streams = source.streams(clip as usize).map_err(refuse)?;
    let limits = fits(&streams, &eval.data, &eval.clip).map_err(|unfit| {
        let is_mistake = short_of(&eval.data) == Short::Error;
        if !(is_mistake && matches!(unfit, Unfit::TooShort { .. })) {
            return Refusal::Unfit(unfit.to_string());
        }
        let name = source.name(clip as usize);
        Refusal::Stop(too_short(&eval.data, &name, &unfit))
    })?;
    let length = eval.clip.seconds().to_f64();
    let starts = starts(clips, limits, length, &key);
    let requests: Vec<_> = starts
        .iter()
        .map(|&start| request(&eval.clip, start, eval.clip.ticks()))
        .collect();
    let ticks = source.read(clip as usize, &requests).map_err(refuse)?;
    let keys = (0..ticks.len()).map(|window| key.child(&format!("{window}/{}", eval.uses)));
    let views: Vec<Tensor> = (ticks.iter().zip(keys))
        .map(|(ticks, key)| view(&eval.clip, chain, ticks, &key))
        .collect();
    Ok(Tensor::cat(&views, 0))
}

/// One view: windows are made one by one, which stays in the processor's cache.
fn view(clip: &Clip, chain: Option<&hir::Chain>, ticks: &Ticks, key: &Key) -> Tensor {
    make_views(
        clip,
        chain,
        std::slice::from_ref(ticks),
        std::slice::from_ref(key),
    )
}

/// Whether each clip of the source can be read for an evaluation, as far as its streams tell: not those that the data set's rules leave
/// out. One that is too short where that is a mistake, or cannot be opened, counts as one that can: whoever reads it says so.
pub fn usable(source: &dyn ClipSource, eval: &hir::Eval) -> Vec<bool> {
    let is_mistake = short_of(&eval.data) == Short::Error;
    let is_usable = |clip: usize| {
        let Ok(streams) = source.streams(clip) else {
            return true;
        };
        match fits(&streams, &eval.data, &eval.clip) {
            Ok(_) => true,
            Err(Unfit::TooShort { .. }) => is_mistake,
            Err(Unfit::Missing { .. }) => false,
        }
    };
    (0..source.len()).map(is_usable).collect()
}

/// The limits of the stream that windows of this clip are cut from.
///
/// # Errors
/// What the source lacks; by the rules `pad` and `loop` of the data set none is too short.
pub(super) fn fits(
    streams: &Streams,
    data: &hir::Data,
    clip: &Clip,
) -> std::result::Result<Limits, Unfit> {
    let (limits, stream) = limits(streams, clip)?;
    let (needs, has) = (clip.seconds().to_f64(), limits.end - limits.start);
    let is_strict = matches!(short_of(data), Short::Skip | Short::Error);
    if is_strict && has < needs - SLACK {
        return Err(Unfit::TooShort { stream, needs, has });
    }
    Ok(limits)
}

/// Whether the stream that the windows are cut from is shorter than one of them.
pub(super) fn is_short(streams: &Streams, eval: &hir::Eval) -> bool {
    let needs = eval.clip.seconds().to_f64();
    limits(streams, &eval.clip).is_ok_and(|(limits, _)| limits.end - limits.start < needs - SLACK)
}

/// The limits of the stream that the clip is cut from, and what it is called.
fn limits(streams: &Streams, clip: &Clip) -> std::result::Result<(Limits, &'static str), Unfit> {
    let (limits, stream) = match clip {
        Clip::Video { .. } | Clip::Flow { .. } => (streams.video, "pictures"),
        Clip::Audio { .. } => (streams.audio, "sound"),
        Clip::Text { .. } => (None, "captions"),
    };
    limits
        .map(|limits| (limits, stream))
        .ok_or(Unfit::Missing { stream })
}

/// The start of each window: drawn anywhere it fits, or evenly spaced from the first place to the last. A source that is too
/// short has all windows at its beginning, as in the released code.
pub(super) fn starts(clips: Clips, limits: Limits, length: f64, key: &Key) -> Vec<f64> {
    let end = match clips {
        Clips::Random(_) | Clips::Uniform(_) => limits.end,
        Clips::UniformWithin(_, seconds) => limits.end.min(limits.start + seconds.to_f64()),
    };
    let (first, last) = (limits.start, (end - length).max(limits.start));
    match clips {
        Clips::Random(n) => (0..n)
            .map(|window| key.draws(&format!("{window}/window")).uniform(first, last))
            .collect(),
        Clips::Uniform(n) | Clips::UniformWithin(n, _) => {
            let step = if n > 1 {
                (last - first) / f64::from(n - 1)
            } else {
                0.0
            };
            (0..n)
                .map(|window| first + step * f64::from(window))
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use compiler::units::Exact;

    #[test]
    fn windows_are_evenly_spaced_from_the_first_place_to_the_last() {
        let limits = Limits {
            start: 1.0,
            end: 6.0,
        };
        let key = Key::at(1, "x");
        assert_eq!(
            starts(Clips::Uniform(4), limits, 2.0, &key),
            [1.0, 2.0, 3.0, 4.0]
        );
        assert_eq!(starts(Clips::Uniform(1), limits, 5.0, &key), [1.0]);
        assert_eq!(
            starts(Clips::Uniform(3), limits, 5.02, &key),
            [1.0, 1.0, 1.0]
        );
        let within = |seconds| Clips::UniformWithin(3, Exact::whole(seconds));
        assert_eq!(starts(within(4), limits, 2.0, &key), [1.0, 2.0, 3.0]);
        assert_eq!(starts(within(2), limits, 2.0, &key), [1.0, 1.0, 1.0]);
        assert_eq!(starts(within(9), limits, 2.0, &key), [1.0, 2.5, 4.0]);
        let random = starts(Clips::Random(50), limits, 2.0, &key);
        assert!(random.iter().all(|start| (1.0..=4.0).contains(start)));
        assert!(random.windows(2).all(|pair| pair[0] != pair[1]));
        assert_eq!(random[..10], starts(Clips::Random(10), limits, 2.0, &key));
    }
}
