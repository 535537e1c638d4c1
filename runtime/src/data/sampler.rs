//! Where the windows of the views lie in time: the relaxation policies (section 4.3).
//!
//! All policies rest on **one draw**, that of the released code: for windows of lengths `L` of the modalities, the longest
//! starts uniformly between the latest beginning of the streams and the earliest `end - L`; the shorter ones then lie in it as
//! `across` says: uniformly inside (cut to their stream), with equal starts, or with equal centres.
//! - `same` (`none`): one draw; all views share it.
//! - `overlap(share)` (`mild`, `medium`): one draw of enlarged windows, `L + (views - 1) (1 - share) L`, cut into the views.
//!   `of: a` takes the step `(1 - share) L` from that modality for all.
//! - `halves` (`extreme`, the paper): the span that all streams cover is cut into as many equal parts as there are views, and
//!   each view is one draw in its own part.
//! - `offset(max)` (`extreme`, the released code): the first start is drawn up to `room`, what is left of half the source
//!   after the window; the second is the first plus `room`. Here counted from the beginning of the streams, not from 0.
//! - `independent` (`mixed`): one draw for each view.
//!
//! Of a modality that is `same`, one of the windows so drawn, picked with equal chance, serves all views; `offset(max)` with
//! `a: same` is `v_far_a_same` of the released code, whose two views are also augmented alike, while ours are not. The law of
//! all this is in `compiler::time`.
//!
//! A source that fits exactly is used, which the released code refuses; so is one that lacks up to [`SLACK`], because sound
//! often ends a packet before the pictures. Where a window does not fit and the data set's rule is `pad` or `loop`, windows
//! fall back as in the released code: a stream that is too short starts at its beginning, the others are drawn on their own.
//!
//! An evaluation that trains on clips has one window for each: drawn as a view is, or one of those that its `train` spaces evenly.

use super::overlaps::Overlaps;
use super::reader;
use super::source::{Limits, Streams};
use crate::augment::draws::Key;
use compiler::hir::{Across, Clip, Clips, Eval, Modality, Relaxation, Short, Within};

/// A stream may lack so many seconds of a window: two packets of AAC at 44.1 kHz are 46 ms.
pub const SLACK: f64 = 0.05;

/// The start of each window.
#[derive(Clone, Debug, PartialEq)]
pub struct Windows {
    /// Seconds on the source's clock, by modality in the order of the experiment, then by view from the first.
    pub starts: Vec<Vec<f64>>,
}

/// Why a source has no windows.
#[derive(Clone, Debug, PartialEq)]
pub enum Unfit {
    /// It has no stream for a modality.
    Missing {
        /// `pictures` or `sound`.
        stream: &'static str,
    },
    /// A stream is shorter than the windows together.
    TooShort {
        /// `pictures` or `sound`.
        stream: &'static str,
        /// Seconds asked for.
        needs: f64,
        /// Seconds there are.
        has: f64,
    },
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unfit::Missing { stream } => write!(f, "it has no {stream}"),
            Unfit::TooShort { stream, needs, has } => {
                write!(
                    f,
                    "{has:.3} s of {stream}, and the windows need {needs:.3} s"
                )
            }
        }
    }
}

/// The joint law of the windows of an experiment.
#[derive(Clone, Debug)]
pub struct Sampler {
    relax: Relaxation,
    views: u32,
    short: Short,
    clips: Vec<Window>,
    /// Where an evaluation has its windows at set places.
    spaced: Option<Clips>,
}

/// The windows of one modality.
#[derive(Clone, Debug)]
struct Window {
    name: String,
    is_video: bool,
    /// Of one view.
    seconds: f64,
    /// From one view to the next where they overlap.
    step: f64,
}

impl Window {
    fn of(name: &str, clip: &Clip, step: f64) -> Self {
        Self {
            name: name.to_owned(),
            is_video: matches!(clip, Clip::Video { .. }),
            seconds: clip.seconds().to_f64(),
            step,
        }
    }

    fn stream(&self) -> &'static str {
        if self.is_video { "pictures" } else { "sound" }
    }
}

/// A window to place: its length and the limits of its stream.
#[derive(Clone, Copy)]
struct Place {
    limits: Limits,
    length: f64,
}

impl Sampler {
    /// The sampler of all declared `modalities`, whether or not the loss reads them: what a row draws does not depend on its loss.
    pub fn new(relax: &Relaxation, views: u32, short: Short, modalities: &[Modality]) -> Self {
        let seconds = |name: &str| {
            modalities
                .iter()
                .find(|m| m.name == name)
                .map_or(0.0, |m| m.clip.seconds().to_f64())
        };
        let window = |modality: &Modality| {
            let length = modality.clip.seconds().to_f64();
            let step = match &relax.within {
                Within::Overlap { share, of } => {
                    (1.0 - share.to_f64()) * of.as_ref().map_or(length, |of| seconds(of))
                }
                Within::Offset(by) => by.to_f64(),
                Within::Same | Within::Halves | Within::OffsetMax | Within::Independent => 0.0,
            };
            Window::of(&modality.name, &modality.clip, step)
        };
        Self {
            relax: relax.clone(),
            views,
            short,
            clips: modalities.iter().map(window).collect(),
            spaced: None,
        }
    }

    /// The sampler of one training clip of an evaluation: anywhere it fits, or by an even chance at one of the places of `uniform`. How
    /// many clips of a sample there are in an epoch is no matter of its own.
    pub fn of_eval(eval: &Eval, short: Short) -> Self {
        Self {
            relax: Relaxation {
                within: Within::Same,
                across: Across::Inside,
                same: vec![],
            },
            views: 1,
            short,
            clips: vec![Window::of(&eval.uses, &eval.clip, 0.0)],
            spaced: match eval.train {
                Clips::Random(_) => None,
                Clips::Uniform(_) | Clips::UniformWithin(..) => Some(eval.train),
            },
        }
    }

    /// Whether the source can be used under the data set's rule for short ones.
    ///
    /// # Errors
    /// What it lacks.
    pub fn admit(&self, streams: &Streams) -> Result<(), Unfit> {
        match self.fits(streams) {
            Err(Unfit::TooShort { .. }) if !self.is_strict() => Ok(()),
            fits => fits,
        }
    }

    /// Whether all windows lie within the source, whatever the rule for short ones is.
    ///
    /// # Errors
    /// What it lacks.
    pub fn fits(&self, streams: &Streams) -> Result<(), Unfit> {
        let limits = self.limits(streams)?;
        let views = self.views as usize;
        match &self.relax.within {
            Within::Same | Within::Overlap { .. } | Within::Offset(_) => {
                self.room(&self.spans(&limits)).map(|_| ())
            }
            Within::Halves => (0..views).try_for_each(|view| {
                let part = part_of(&limits, view, views);
                self.room(&self.places(&vec![part; self.clips.len()]))
                    .map(|_| ())
            }),
            Within::OffsetMax => match self.offset_room(&self.places(&limits)) {
                (_, _, Some(unfit)) => Err(unfit),
                (_, _, None) => Ok(()),
            },
            Within::Independent => self.room(&self.places(&limits)).map(|_| ()),
        }
    }

    /// The windows of one sample. The numbers are drawn at `window/...` below `key`.
    ///
    /// # Errors
    /// What the source lacks. With the rules `pad` and `loop` a source is never too short.
    pub fn draw(&self, streams: &Streams, key: &Key) -> Result<Windows, Unfit> {
        let limits = self.limits(streams)?;
        if let Some(clips) = self.spaced {
            return self.one_of(clips, &limits, key);
        }
        let views = self.views as usize;
        let drawn = match &self.relax.within {
            Within::Same | Within::Overlap { .. } | Within::Offset(_) => {
                let firsts = self.place(&self.spans(&limits), &key.child("window"))?;
                (0..views)
                    .map(|view| {
                        self.clips
                            .iter()
                            .zip(&firsts)
                            .map(|(clip, first)| first + clip.step * view as f64)
                            .collect()
                    })
                    .collect()
            }
            Within::Halves => {
                let view = |view: usize| {
                    let part = part_of(&limits, view, views);
                    let places = self.places(&vec![part; self.clips.len()]);
                    self.place(&places, &key.child(&format!("window/{}", view + 1)))
                };
                (0..views).map(view).collect::<Result<_, _>>()?
            }
            Within::OffsetMax => self.offset(&self.places(&limits), key)?,
            Within::Independent => {
                let places = self.places(&limits);
                let view =
                    |view: usize| self.place(&places, &key.child(&format!("window/{}", view + 1)));
                (0..views).map(view).collect::<Result<_, _>>()?
            }
        };
        let of = |modality: usize| {
            let own: Vec<f64> = drawn.iter().map(|view: &Vec<f64>| view[modality]).collect();
            let name = &self.clips[modality].name;
            if !self.relax.same.contains(name) {
                return own;
            }
            let last = i64::from(self.views) - 1;
            let picked = key.draws(&format!("window/same/{name}")).integer(0..=last);
            let picked = usize::try_from(picked).expect("sampler: views are numbered from 0");
            vec![own[picked]; views]
        };
        Ok(Windows {
            starts: (0..self.clips.len()).map(of).collect(),
        })
    }

    /// One of evenly spaced windows.
    fn one_of(&self, clips: Clips, limits: &[Limits], key: &Key) -> Result<Windows, Unfit> {
        match self.room(&self.places(limits)) {
            Err(unfit) if self.is_strict() => return Err(unfit),
            Ok(_) | Err(_) => {}
        }
        let starts = reader::starts(clips, limits[0], self.clips[0].seconds, key);
        let last = starts.len().max(1) as i64 - 1;
        let at = key.draws("window").integer(0..=last) as usize;
        Ok(Windows {
            starts: vec![vec![starts.get(at).copied().unwrap_or(limits[0].start)]],
        })
    }

    /// How much of each other the windows of one sample cover.
    pub fn overlaps(&self, windows: &Windows) -> Overlaps {
        let seconds: Vec<f64> = self.clips.iter().map(|clip| clip.seconds).collect();
        Overlaps::of(windows, &seconds)
    }

    fn limits(&self, streams: &Streams) -> Result<Vec<Limits>, Unfit> {
        let limits = |window: &Window| {
            let limits = if window.is_video {
                streams.video
            } else {
                streams.audio
            };
            limits.ok_or(Unfit::Missing {
                stream: window.stream(),
            })
        };
        self.clips.iter().map(limits).collect()
    }

    fn places(&self, limits: &[Limits]) -> Vec<Place> {
        self.clips
            .iter()
            .zip(limits)
            .map(|(window, &limits)| Place {
                limits,
                length: window.seconds,
            })
            .collect()
    }

    /// Whether a source that is too short has no windows.
    fn is_strict(&self) -> bool {
        matches!(self.short, Short::Skip | Short::Error)
    }

    /// The spans that all views of each modality cover together where they overlap.
    fn spans(&self, limits: &[Limits]) -> Vec<Place> {
        let place = |(window, &limits): (&Window, &Limits)| Place {
            limits,
            length: window.seconds + window.step * (self.views - 1) as f64,
        };
        self.clips.iter().zip(limits).map(place).collect()
    }

    /// Between which moments the longest may start, and which it is.
    ///
    /// # Errors
    /// What does not fit.
    fn room(&self, places: &[Place]) -> Result<(usize, f64, f64), Unfit> {
        let Some(longest) = longest(places) else {
            return Ok((0, 0.0, 0.0));
        };
        let shift = |place: &Place| match self.relax.across {
            Across::Centre => (places[longest].length - place.length) / 2.0,
            Across::Inside | Across::Start => 0.0,
        };
        let lower = places
            .iter()
            .map(|p| p.limits.start - shift(p))
            .fold(f64::NEG_INFINITY, f64::max);
        let last = |place: &Place| place.limits.end - place.length - shift(place);
        let tightest =
            (0..places.len()).min_by(|&a, &b| last(&places[a]).total_cmp(&last(&places[b])));
        let tightest = tightest.unwrap_or(longest);
        let upper = last(&places[tightest]);
        if upper < lower - SLACK {
            let Place { limits, length } = places[tightest];
            let stream = self.clips[tightest].stream();
            let has = (limits.end - lower - shift(&places[tightest])).max(0.0);
            return Err(Unfit::TooShort {
                stream,
                needs: length,
                has,
            });
        }
        Ok((longest, lower, upper))
    }

    /// One draw: a start for each modality.
    fn place(&self, places: &[Place], key: &Key) -> Result<Vec<f64>, Unfit> {
        match self.room(places) {
            Ok((longest, lower, upper)) if !places.is_empty() => {
                let start = between(lower, upper, key);
                Ok(self.inside(places, longest, start, key))
            }
            Ok(_) => Ok(Vec::new()),
            Err(unfit) if self.is_strict() => Err(unfit),
            Err(_) => {
                let alone = |(window, place): (&Window, &Place)| {
                    let last = place.limits.end - place.length;
                    between(place.limits.start, last, &key.child(&window.name))
                };
                Ok(self.clips.iter().zip(places).map(alone).collect())
            }
        }
    }

    /// The starts of all modalities, given that of the longest.
    fn inside(&self, places: &[Place], longest: usize, start: f64, key: &Key) -> Vec<f64> {
        let length = places[longest].length;
        let of = |(at, (window, place)): (usize, (&Window, &Place))| {
            let (first, last) = (place.limits.start, place.limits.end - place.length);
            match self.relax.across {
                _ if at == longest => start,
                Across::Start => start,
                Across::Centre => start + (length - place.length) / 2.0,
                Across::Inside => {
                    let (from, to) = (start.max(first), (start + length - place.length).min(last));
                    between(from, to, &key.child(&window.name))
                }
            }
        };
        self.clips.iter().zip(places).enumerate().map(of).collect()
    }

    /// What is left of a view's share of the source after the longest window: since when, how much, and what does not fit.
    fn offset_room(&self, places: &[Place]) -> (f64, f64, Option<Unfit>) {
        let lower = places
            .iter()
            .map(|place| place.limits.start)
            .fold(f64::NEG_INFINITY, f64::max);
        let part = |place: &Place| (place.limits.end - lower) / f64::from(self.views);
        let room = |place: &Place| part(place) - place.length;
        let tightest =
            (0..places.len()).min_by(|&a, &b| room(&places[a]).total_cmp(&room(&places[b])));
        let Some(tightest) = tightest else {
            return (0.0, 0.0, None);
        };
        let room = room(&places[tightest]);
        let unfit = (room < -SLACK).then(|| {
            let stream = self.clips[tightest].stream();
            let needs = places[tightest].length * f64::from(self.views);
            let has = (places[tightest].limits.end - lower).max(0.0);
            Unfit::TooShort { stream, needs, has }
        });
        (lower, room, unfit)
    }

    /// The released code's far draw, view by view.
    fn offset(&self, places: &[Place], key: &Key) -> Result<Vec<Vec<f64>>, Unfit> {
        let Some(longest) = longest(places) else {
            return Ok(vec![Vec::new(); self.views as usize]);
        };
        let (lower, room, unfit) = self.offset_room(places);
        if let Some(unfit) = unfit.filter(|_| self.is_strict()) {
            return Err(unfit);
        }
        let room = room.max(0.0);
        let first = between(lower, lower + room, &key.child("window"));
        let view = |view: u32| {
            let key = key.child(&format!("window/{}", view + 1));
            self.inside(places, longest, first + room * f64::from(view), &key)
        };
        Ok((0..self.views).map(view).collect())
    }
}

/// The position of the longest window, the first of equals.
fn longest(places: &[Place]) -> Option<usize> {
    (0..places.len()).reduce(|best, at| {
        if places[at].length > places[best].length {
            at
        } else {
            best
        }
    })
}

/// The part of the common span that belongs to a view, counted from 0.
fn part_of(limits: &[Limits], view: usize, views: usize) -> Limits {
    let (start, end) = common(limits);
    let part = (end - start) / views as f64;
    Limits {
        start: start + part * view as f64,
        end: start + part * (view + 1) as f64,
    }
}

/// The span that all streams cover.
fn common(limits: &[Limits]) -> (f64, f64) {
    let start = limits
        .iter()
        .map(|l| l.start)
        .fold(f64::NEG_INFINITY, f64::max);
    (
        start,
        limits
            .iter()
            .map(|l| l.end)
            .fold(f64::INFINITY, f64::min)
            .max(start),
    )
}

/// Uniform between the two, the first where they do not leave room.
fn between(first: f64, last: f64, key: &Key) -> f64 {
    if last > first {
        key.stream().uniform(first, last)
    } else {
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::fixtures::{audio, files, mild, modality, overlap, video};
    use compiler::hir::{Data, Pretrain};
    use compiler::time::{self, Family, Pair};
    use compiler::units::Exact;

    /// The paper's clips: 0.5 s of pictures, 2 s of sound.
    fn both() -> Vec<Modality> {
        vec![
            modality("v", video(8, 112), Vec::new()),
            modality("a", audio(32_000), Vec::new()),
        ]
    }

    fn sampler(within: Within, across: Across, short: Short) -> Sampler {
        let same = vec![];
        let relax = Relaxation {
            within,
            across,
            same,
        };
        Sampler::new(&relax, 2, short, &both())
    }

    fn source(video: (f64, f64), audio: (f64, f64)) -> Streams {
        let limits = |(start, end)| Some(Limits { start, end });
        Streams {
            video: limits(video),
            audio: limits(audio),
        }
    }

    fn policies() -> Vec<(&'static str, Within, Across)> {
        vec![
            ("none", Within::Same, Across::Inside),
            ("mild", overlap(50), Across::Inside),
            ("medium", overlap(0), Across::Inside),
            ("extreme", Within::Halves, Across::Start),
            ("extreme as released", Within::OffsetMax, Across::Start),
            ("a step", Within::Offset(Exact::new(7, 5)), Across::Inside),
            ("mixed", Within::Independent, Across::Inside),
        ]
    }

    /// Mean share of the video window that the audio window covers, and how often it covers nothing.
    fn contact(windows: &[Windows], v: usize, a: usize) -> (f64, f64) {
        let shares: Vec<f64> = windows
            .iter()
            .map(|w| {
                let (v, a) = (w.starts[0][v], w.starts[1][a]);
                ((v + 0.5).min(a + 2.0) - v.max(a)).max(0.0) / 0.5
            })
            .collect();
        let apart = shares.iter().filter(|&&share| share == 0.0).count();
        (
            shares.iter().sum::<f64>() / shares.len() as f64,
            apart as f64 / shares.len() as f64,
        )
    }

    fn many(sampler: &Sampler, streams: &Streams) -> Vec<Windows> {
        (0..100_000)
            .map(|i| sampler.draw(streams, &Key::new(7, i, 0)).unwrap())
            .collect()
    }

    #[test]
    fn a_training_clip_of_an_evaluation_lies_anywhere_or_at_even_places() {
        let of = |train| {
            let (eval, _) = crate::data::fixtures::finetuning(train, 1, 1, 1);
            Sampler::of_eval(&eval, Short::Skip)
        };
        let streams = source((1.0, 3.25), (0.0, 10.0));
        let starts = |train| -> Vec<f64> {
            let sampler = of(train);
            let draw = |i| sampler.draw(&streams, &Key::new(7, i, 0)).unwrap().starts;
            (0..400).flat_map(draw).flatten().collect()
        };
        // A clip of 0.25 s.
        let anywhere = starts(Clips::Random(1));
        assert!(anywhere.iter().all(|start| (1.0..=3.0).contains(start)));
        assert_eq!(anywhere, starts(Clips::Random(10)));
        let mut even = starts(Clips::Uniform(3));
        even.sort_by(f64::total_cmp);
        even.dedup();
        assert_eq!(even, [1.0, 2.0, 3.0]);
        let within = starts(Clips::UniformWithin(2, Exact::new(5, 4)));
        assert!(within.iter().all(|start| [1.0, 2.0].contains(start)));
        let short = source((0.0, 0.1), (0.0, 10.0));
        for train in [Clips::Random(1), Clips::Uniform(3)] {
            let drawn = of(train).draw(&short, &Key::new(7, 0, 0));
            assert!(matches!(drawn, Err(Unfit::TooShort { .. })));
        }
    }

    /// What the compiler works out, which its own tests hold against the table of the documentation.
    #[test]
    fn draws_follow_the_exact_law() {
        let streams = source((0.0, 10.0), (0.0, 10.0));
        for (name, within, across) in policies() {
            for same in [vec![], vec!["a"], vec!["a", "v"]] {
                let relax = Relaxation {
                    within: within.clone(),
                    across,
                    same: same.iter().map(|name| (*name).to_owned()).collect(),
                };
                let drawn = many(&Sampler::new(&relax, 2, Short::Skip, &both()), &streams);
                let data = Data::Videos(files("ours", 2, 1));
                let pretrain = Pretrain {
                    modalities: both(),
                    relax,
                    ..mild(data, 1, 1, 1).settings.as_ref().clone()
                };
                let law = time::Windows::new(&pretrain, Exact::whole(10)).unwrap();
                for (v, a) in [(0, 0), (1, 1), (0, 1), (1, 0)] {
                    let family = if v == a { Family::Sync } else { Family::Async };
                    let view = |modality: &str, at: usize| (modality.to_owned(), at as u32 + 1);
                    let views = (view("v", v), view("a", a));
                    let due = law.overlap(&Pair { family, views }).unwrap();
                    let (mean, apart) = contact(&drawn, v, a);
                    // Standard error of 100 000 shares in 0..=1 is at most 0.0016; five of them.
                    for (got, due) in [(mean, due.mean.to_f64()), (apart, due.apart.to_f64())] {
                        let pair = format!("{name} {same:?} v{v} a{a}");
                        assert!((got - due).abs() < 0.008, "{pair}: {got} for {due}");
                    }
                }
            }
        }
    }

    #[test]
    fn one_window_serves_all_views_of_a_modality_that_is_same() {
        let relax = Relaxation {
            within: Within::OffsetMax,
            across: Across::Start,
            same: vec!["a".to_owned()],
        };
        let sampler = Sampler::new(&relax, 2, Short::Skip, &both());
        let drawn = many(&sampler, &source((0.0, 10.0), (0.0, 10.0)));
        let mut first = 0;
        for windows in &drawn {
            let [v, a] = [&windows.starts[0], &windows.starts[1]];
            assert!((v[1] - v[0] - 3.0).abs() < 1e-9 && a[0] == a[1] && v.contains(&a[0]));
            first += usize::from(a[0] == v[0]);
        }
        let share = first as f64 / drawn.len() as f64;
        assert!((share - 0.5).abs() < 0.015, "{share}");
    }

    #[test]
    fn windows_stay_inside_the_streams() {
        for (name, within, across) in policies() {
            for across in [across, Across::Inside, Across::Start, Across::Centre] {
                let sampler = sampler(within.clone(), across, Short::Skip);
                for streams in [
                    source((0.0, 10.0), (0.0, 10.0)),
                    source((10.0, 18.7), (9.881, 19.355)),
                    source((0.0, 9.0), (0.477, 8.5)),
                ] {
                    let (v, a) = (streams.video.unwrap(), streams.audio.unwrap());
                    for i in 0..500 {
                        let windows = sampler.draw(&streams, &Key::new(1, i, 2)).unwrap();
                        for (starts, limits, length) in
                            [(&windows.starts[0], v, 0.5), (&windows.starts[1], a, 2.0)]
                        {
                            for &start in starts {
                                let fits = start >= limits.start - 1e-9
                                    && start + length <= limits.end + 1e-9;
                                assert!(fits, "{name} {across:?}: {start} in {limits:?}");
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn views_of_one_modality_relate_as_the_policy_says() {
        let streams = source((0.0, 10.0), (0.0, 10.0));
        let steps = |within, across| {
            let windows = many(&sampler(within, across, Short::Skip), &streams);
            windows
                .iter()
                .map(|w| {
                    (
                        w.starts[0][1] - w.starts[0][0],
                        w.starts[1][1] - w.starts[1][0],
                    )
                })
                .collect::<Vec<_>>()
        };
        let all = |steps: Vec<(f64, f64)>, v: f64, a: f64| {
            steps
                .iter()
                .all(|s| (s.0 - v).abs() < 1e-9 && (s.1 - a).abs() < 1e-9)
        };
        assert!(all(steps(Within::Same, Across::Inside), 0.0, 0.0));
        assert!(all(steps(overlap(50), Across::Inside), 0.25, 1.0));
        assert!(all(steps(overlap(0), Across::Inside), 0.5, 2.0));
        let of = |name: &str| Within::Overlap {
            share: Exact::new(1, 2),
            of: Some(name.to_owned()),
        };
        assert!(all(steps(of("a"), Across::Start), 1.0, 1.0));
        assert!(all(steps(of("v"), Across::Start), 0.25, 0.25));
        assert!(all(steps(Within::OffsetMax, Across::Start), 3.0, 3.0));
        let step = Within::Offset(Exact::whole(2));
        assert!(all(steps(step, Across::Inside), 2.0, 2.0));
        for w in many(
            &sampler(Within::Halves, Across::Start, Short::Skip),
            &streams,
        ) {
            assert!(
                w.starts[1][0] + 2.0 <= 5.0 && w.starts[1][1] >= 5.0 && w.starts[0] == w.starts[1]
            );
        }
        for w in many(
            &sampler(Within::Same, Across::Centre, Short::Skip),
            &streams,
        ) {
            assert!((w.starts[0][0] + 0.25 - w.starts[1][0] - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn exact_fits_are_used_and_up_to_two_packets_may_lack() {
        let mild = sampler(overlap(50), Across::Inside, Short::Skip);
        for end in [3.0, 2.978, 2.951] {
            let windows = mild
                .draw(&source((0.0, 3.0), (0.0, end)), &Key::new(1, 1, 1))
                .unwrap();
            assert_eq!(windows.starts[1], [0.0, 1.0], "sound of {end} s");
        }
        let unfit = mild
            .draw(&source((0.0, 3.0), (0.0, 2.9)), &Key::new(1, 1, 1))
            .unwrap_err();
        assert_eq!(
            unfit.to_string(),
            "2.900 s of sound, and the windows need 3.000 s"
        );
        let silent = Streams {
            video: Some(Limits {
                start: 0.0,
                end: 9.0,
            }),
            audio: None,
        };
        assert_eq!(
            mild.admit(&silent).unwrap_err().to_string(),
            "it has no sound"
        );
    }

    #[test]
    fn a_source_is_admitted_where_it_can_be_drawn_from() {
        let mut draws = Key::at(3, "sources").stream();
        let mut counts = [0; 2];
        for _ in 0..400 {
            let mut limits = || {
                let start = draws.uniform(0.0, 1.0);
                (start, start + draws.uniform(0.1, 6.0))
            };
            let streams = source(limits(), limits());
            for (name, within, across) in policies() {
                for short in [Short::Skip, Short::Pad] {
                    let sampler = sampler(within.clone(), across, short);
                    let drawn = sampler.draw(&streams, &Key::new(1, 2, 3)).map(|_| ());
                    counts[usize::from(drawn.is_ok())] += 1;
                    assert_eq!(sampler.admit(&streams), drawn, "{name} {streams:?}");
                }
            }
        }
        assert!(counts.iter().all(|count| *count > 500), "{counts:?}");
    }

    #[test]
    fn short_sources_start_at_their_beginning_under_pad() {
        let mild = sampler(overlap(50), Across::Inside, Short::Pad);
        let windows = mild
            .draw(&source((0.2, 8.0), (0.1, 1.0)), &Key::new(1, 1, 1))
            .unwrap();
        assert_eq!(windows.starts[1], [0.1, 1.1]);
        assert!(windows.starts[0][0] > 0.2 && windows.starts[0][1] + 0.5 <= 8.0);
        for (name, within, across) in policies() {
            let padded = sampler(within, across, Short::Pad);
            assert!(
                padded.admit(&source((0.0, 0.1), (0.0, 0.1))).is_ok(),
                "{name}"
            );
        }
    }

    #[test]
    fn a_draw_depends_on_its_key_alone() {
        let mild = sampler(overlap(50), Across::Inside, Short::Skip);
        let streams = source((0.0, 10.0), (0.0, 10.0));
        let key = Key::new(3, 5, 2);
        assert_eq!(mild.draw(&streams, &key), mild.draw(&streams, &key));
        assert_ne!(
            mild.draw(&streams, &key),
            mild.draw(&streams, &Key::new(3, 6, 2))
        );
    }
}
