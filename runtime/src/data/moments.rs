//! Clips of samples that a person looks at, and beside each what another modality has at the same moment; none of them augmented.

use super::admission::{Tally, cause, name_of, short_of, too_short};
use super::reader::{fits, starts};
use super::reading::request;
use super::sampler::Unfit;
use super::source::{ClipSource, Limits, Request, Streams};
use super::views::make_views;
use crate::augment::Key;
use crate::error::{Error, Result};
use compiler::hir::{Clip, Sampled, Short};
use records::record::ClipCounts;
use std::collections::BTreeMap;
use tch::Tensor;

/// One clip of a sample.
#[derive(Debug)]
pub struct Moment {
    /// Where it begins, in seconds on the clock of the sample.
    pub start: f64,
    /// `[1, 3, T, H, W]` or `[1, 1, bands, columns]`.
    pub view: Tensor,
    /// What the other modality has around the same middle.
    pub beside: Option<Beside>,
}

/// A clip of another modality.
#[derive(Debug)]
pub struct Beside {
    /// Where it begins.
    pub start: f64,
    /// As for the moment.
    pub view: Tensor,
}

/// Reads the moments of samples one after the other.
pub struct Moments<'s> {
    source: &'s dyn ClipSource,
    of: &'s Sampled,
    other: Option<&'s Clip>,
    seed: u64,
    tally: Tally,
    /// Samples that lack a stream or are too short for the data set's rules, and why.
    unfit: BTreeMap<String, String>,
}

/// What may become of a sample that cannot be read.
enum Refusal {
    Unfit(String),
    Bad(String),
    Stop(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match matches!(error, Error::Decode { .. } | Error::Io { .. }) {
            true => Self::Bad(cause(error)),
            false => Self::Stop(error),
        }
    }
}

impl<'s> Moments<'s> {
    /// The clips that an evaluation of this `seed` sees of test samples, and those of `other` at the same moments: around the same middle,
    /// moved as little as its stream needs to hold it. So the shorter of two clips lies in the longer one, as in training.
    pub fn new(
        source: &'s dyn ClipSource,
        of: &'s Sampled,
        other: Option<&'s Clip>,
        seed: u64,
        max_bad_share: f64,
    ) -> Self {
        Self {
            source,
            of,
            other,
            seed,
            tally: Tally::new(name_of(&of.data), max_bad_share, source.len()),
            unfit: BTreeMap::new(),
        }
    }

    /// The moments of one sample, in the order of its windows; `None` where it cannot be used.
    ///
    /// # Errors
    /// [`Error::TooManyFailures`]; a sample that is too short where the data set says that this is a mistake; what ends a run.
    pub fn read(&mut self, sample: u32) -> Result<Option<Vec<Moment>>> {
        self.tally.tried.insert(sample);
        let name = self.source.name(sample as usize);
        match self.moments(sample as usize) {
            Ok(moments) => return Ok(Some(moments)),
            Err(Refusal::Unfit(cause)) => drop(self.unfit.insert(name, cause)),
            Err(Refusal::Bad(cause)) => {
                self.tally.failed.insert(name, cause);
                self.tally.check()?;
            }
            Err(Refusal::Stop(error)) => return Err(error),
        }
        Ok(None)
    }

    /// Samples that could not be used so far, and why.
    pub fn left_out(&self) -> impl Iterator<Item = (&String, &String)> {
        self.unfit.iter().chain(&self.tally.failed)
    }

    /// The same, counted.
    pub fn counts(&self) -> ClipCounts {
        let failed = self.tally.failed.iter();
        ClipCounts {
            asked: self.tally.tried.len() as u64,
            skipped: self.unfit.len() as u64,
            undecodable: failed
                .map(|(name, cause)| (name.into(), cause.clone()))
                .collect(),
            ..ClipCounts::default()
        }
    }

    fn moments(&self, sample: usize) -> std::result::Result<Vec<Moment>, Refusal> {
        let streams = self.source.streams(sample)?;
        let key = Key::new(self.seed, sample as u64, 0).child("test");
        let length = self.of.clip.seconds().to_f64();
        let own = self.limits(sample, &streams, &self.of.clip)?;
        let other = match self.other {
            Some(clip) => Some((clip, self.limits(sample, &streams, clip)?)),
            None => None,
        };
        let mut spans: Vec<(&Clip, f64)> = vec![];
        for start in starts(self.of.clips, own, length, &key) {
            let middle = start + length / 2.0;
            spans.push((&self.of.clip, start));
            spans.extend(other.map(|(clip, limits)| (clip, around(middle, clip, limits))));
        }
        let requests: Vec<Request> = spans
            .iter()
            .map(|(clip, start)| request(clip, *start, clip.ticks()))
            .collect();
        let ticks = self.source.read(sample, &requests)?;
        let keys = std::slice::from_ref(&key);
        let mut views = spans.iter().zip(&ticks).map(|((clip, start), ticks)| {
            let view = make_views(clip, None, std::slice::from_ref(ticks), keys);
            Beside {
                start: *start,
                view,
            }
        });
        let mut moments = vec![];
        while let Some(Beside { start, view }) = views.next() {
            let beside = other.and_then(|_| views.next());
            moments.push(Moment {
                start,
                view,
                beside,
            });
        }
        Ok(moments)
    }

    fn limits(
        &self,
        sample: usize,
        streams: &Streams,
        clip: &Clip,
    ) -> std::result::Result<Limits, Refusal> {
        let data = &self.of.data;
        fits(streams, data, clip).map_err(|unfit| {
            let is_mistake = short_of(data) == Short::Error;
            if !(is_mistake && matches!(unfit, Unfit::TooShort { .. })) {
                return Refusal::Unfit(unfit.to_string());
            }
            let name = self.source.name(sample);
            Refusal::Stop(too_short(data, &name, &unfit))
        })
    }
}

/// Where the clip begins that lies around `middle`, in its stream as far as that holds it.
fn around(middle: f64, clip: &Clip, limits: Limits) -> f64 {
    let length = clip.seconds().to_f64();
    let last = (limits.end - length).max(limits.start);
    (middle - length / 2.0).clamp(limits.start, last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::fixtures::{audio, rendered, video};
    use crate::data::synthetic::RenderedClips;
    use compiler::hir::{Clips, Data, Part};

    #[test]
    fn both_clips_of_a_moment_have_one_middle_where_there_is_room() {
        let data = rendered().settings.data.clone();
        let Data::Synthetic(parameters) = &data else {
            unreachable!("fixtures: rendered clips")
        };
        let source = RenderedClips::new(parameters);
        let of = Sampled {
            data: data.clone(),
            uses: "v".to_owned(),
            clip: video(8, 32),
            clips: Clips::Uniform(3),
            split: Part::Test,
            samples: 1,
        };
        let sound = audio(16_000);
        let mut reader = Moments::new(&source, &of, Some(&sound), 5, 0.0);
        let moments = reader.read(2).unwrap().unwrap();
        let places: Vec<(f64, f64)> = moments
            .iter()
            .map(|moment| (moment.start, moment.beside.as_ref().unwrap().start))
            .collect();
        // Clips of half a second and of a second in four seconds.
        assert_eq!(places, [(0.0, 0.0), (1.75, 1.5), (3.5, 3.0)]);
        assert_eq!(moments[0].view.size(), [1, 3, 8, 32, 32]);
        assert_eq!(
            moments[0].beside.as_ref().unwrap().view.size(),
            [1, 1, 80, 101]
        );
        let mut alone = Moments::new(&source, &of, None, 5, 0.0);
        let again = alone.read(2).unwrap().unwrap();
        assert!(again[1].beside.is_none());
        assert_eq!(again[1].view, moments[1].view);
        let long = audio(80_000);
        let error = Moments::new(&source, &of, Some(&long), 5, 0.0)
            .read(2)
            .unwrap_err();
        assert!(
            error.to_string().contains("`rendered clip 2` is too short"),
            "{error}"
        );
        assert_eq!((alone.counts().asked, alone.left_out().count()), (1, 0));
    }
}
