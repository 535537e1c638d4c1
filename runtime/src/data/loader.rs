//! Batches of augmented views for training: clips in keyed order, decoded and augmented on several threads ahead of the step.
//!
//! Everything random is keyed by what it belongs to: the order of the clips by epoch and round, the windows, augmentations and
//! replacements by sample and epoch. So batches are the same, bit for bit, on any number of threads and after a resume.

use super::admission::{Admission, Tally, cause, name_of, short_of};
use super::batch::{Batch, Batches};
use super::ordered::Ordered;
use super::sampler::{Sampler, Windows};
use super::source::{ClipSource, Request, Ticks};
use crate::augment::{Key, REFUSED, augment_frames, augment_wave};
use crate::error::{Error, Result};
use compiler::graph::Node;
use compiler::hir::{self, Clip};
use compiler::plan;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tch::Tensor;

/// Clips tried in the place of one that cannot be read before the run gives up.
const REDRAWS: u32 = 20;

/// How the data are read on this machine; nothing here changes a batch.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Threads that decode and augment.
    pub threads: usize,
    /// Batches that are made ahead.
    pub ahead: usize,
    /// The share of files that may be undecodable before the run stops.
    pub max_bad_share: f64,
    /// The first step that will be asked for: 0, or where a resumed run goes on.
    pub first_step: u64,
}

/// The batches of one pretraining.
pub struct Loader {
    samples: Ordered<Result<Sample>>,
    admission: Admission,
    tally: Tally,
    batch: usize,
}

/// One sample of a batch, or what was tried for it.
struct Sample {
    /// By modality and view; each is a batch of one.
    views: BTreeMap<(String, u32), Tensor>,
    /// The place of its random numbers.
    key: Key,
    /// The clips that were read, the last one with success.
    tried: Vec<u32>,
    /// Names of those that could not be read, and why.
    failed: Vec<(String, String)>,
}

impl Loader {
    /// Starts the threads on the first batches.
    ///
    /// # Errors
    /// As [`Admission::new`].
    pub fn new(
        source: Arc<dyn ClipSource>,
        pretrain: &plan::Pretrain,
        options: &Options,
    ) -> Result<Self> {
        let settings = &pretrain.settings;
        let sampler = Sampler::new(
            &settings.relax,
            settings.views,
            short_of(&settings.data),
            &settings.modalities,
        );
        let admission = Admission::new(
            source.as_ref(),
            &settings.data,
            &sampler,
            options.max_bad_share,
        )?;
        let tally = Tally::new(
            name_of(&settings.data),
            options.max_bad_share,
            admission.clips.len(),
        );
        let batch = u64::from(settings.bs);
        let per_epoch = settings.steps_per_epoch() * batch;
        let positions = options.first_step * batch..per_epoch * u64::from(settings.ep);
        let work = Work {
            name: name_of(&settings.data).to_owned(),
            source,
            sampler,
            modalities: settings.modalities.clone(),
            reading: Reading::of(&pretrain.steps),
            order: Order {
                seed: settings.seed,
                clips: admission.clips.clone(),
                known: Mutex::default(),
            },
            per_epoch,
        };
        let samples = Ordered::new(
            positions,
            options.threads,
            options.ahead.max(1) * batch as usize,
            move |at| work.sample(at),
        );
        Ok(Self {
            samples,
            admission,
            tally,
            batch: batch as usize,
        })
    }

    /// Which clips are used and which are not.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Files that were replaced so far because they could not be read, and why.
    pub fn failed(&self) -> &BTreeMap<String, String> {
        &self.tally.failed
    }
}

impl Batches for Loader {
    fn next(&mut self, step: u64) -> Result<Batch> {
        let mut views: BTreeMap<(String, u32), Vec<Tensor>> = BTreeMap::new();
        let mut keys = Vec::with_capacity(self.batch);
        let mut waited = Duration::ZERO;
        for _ in 0..self.batch {
            let asked = Instant::now();
            let sample = self.samples.next();
            waited += asked.elapsed();
            let sample = sample.unwrap_or_else(|| panic!("the plan has no step {step}"))?;
            self.tally.tried.extend(sample.tried);
            self.tally.failed.extend(sample.failed);
            keys.push(sample.key);
            for (view, tensor) in sample.views {
                views.entry(view).or_default().push(tensor);
            }
        }
        self.tally.check()?;
        let views = views
            .into_iter()
            .map(|(view, tensors)| (view, Tensor::cat(&tensors, 0)))
            .collect();
        Ok(Batch {
            views,
            keys,
            waited,
        })
    }
}

/// What a thread needs to make any sample.
struct Work {
    /// The data set's.
    name: String,
    source: Arc<dyn ClipSource>,
    sampler: Sampler,
    modalities: Vec<hir::Modality>,
    reading: Reading,
    order: Order,
    per_epoch: u64,
}

impl Work {
    /// The sample at a position counted over all epochs.
    fn sample(&self, position: u64) -> Result<Sample> {
        let (epoch, position) = (position / self.per_epoch, position % self.per_epoch);
        let (mut clip, round) = self.order.at(epoch, position);
        let id = round * self.source.len() as u64 + u64::from(clip);
        let key = Key::new(self.order.seed, id, epoch);
        let mut sample = Sample {
            views: BTreeMap::new(),
            key: key.clone(),
            tried: Vec::new(),
            failed: Vec::new(),
        };
        for redraw in 0..REDRAWS {
            if redraw > 0 {
                let last = self.order.clips.len() as i64 - 1;
                let at = key.draws(&format!("redraw/{redraw}")).integer(0..=last);
                clip = self.order.clips[at as usize];
            }
            sample.tried.push(clip);
            match self.views(clip as usize, &key) {
                Ok(views) => {
                    sample.views = views;
                    return Ok(sample);
                }
                Err(error @ (Error::Decode { .. } | Error::Io { .. })) => {
                    sample
                        .failed
                        .push((self.source.name(clip as usize), cause(error)));
                }
                Err(error) => return Err(error),
            }
        }
        let failed = sample
            .failed
            .into_iter()
            .map(|(name, cause)| (name.into(), cause))
            .collect();
        Err(Error::TooManyFailures {
            name: self.name.clone(),
            total: sample.tried.len(),
            failed,
        })
    }

    /// The views of one clip at the windows of one sample.
    fn views(&self, clip: usize, key: &Key) -> Result<BTreeMap<(String, u32), Tensor>> {
        let streams = self.source.streams(clip)?;
        let windows = self
            .sampler
            .draw(&streams, key)
            .map_err(|unfit| Error::Decode {
                path: self.source.name(clip).into(),
                cause: unfit.to_string(),
            })?;
        let requests = self.reading.requests(&self.modalities, &windows);
        let ticks = self.source.read(clip, &requests)?;
        let view = |slice: &Slice| {
            let modality = self.modality(&slice.modality);
            let key = key.child(&format!("{}/{}", slice.modality, slice.view));
            let ticks = slice.of(&ticks[slice.decode]);
            let view = match slice.host {
                None => make_view(&modality.clip, Some(&modality.augment), &ticks, &key),
                Some(host) => begin_view(modality, host, &ticks, &key),
            };
            ((slice.modality.clone(), slice.view), view)
        };
        Ok(self.reading.slices.iter().map(view).collect())
    }

    fn modality(&self, name: &str) -> &hir::Modality {
        let found = self
            .modalities
            .iter()
            .find(|modality| modality.name == name);
        found.expect("validate: every slice is of a declared modality")
    }
}

/// A view of decoded ticks: `[1, 3, T, H, W]` or `[1, 1, bands, columns]`; augmented where a chain is given.
pub(super) fn make_view(
    clip: &Clip,
    augment: Option<&hir::Chain>,
    ticks: &Ticks,
    key: &Key,
) -> Tensor {
    let keys = std::slice::from_ref(key);
    match (clip, ticks) {
        (Clip::Video { size, .. }, Ticks::Frames(frames)) => {
            let frames = std::slice::from_ref(frames);
            match augment {
                Some(chain) => augment_frames(chain, frames, *size, keys),
                None => crate::augment::plain_frames(frames, *size),
            }
        }
        (Clip::Audio { rate, mel, .. }, Ticks::Wave(wave)) => {
            let wave = wave.unsqueeze(0);
            match augment {
                Some(chain) => augment_wave(chain, &wave, mel, rate.to_f64(), keys),
                None => crate::augment::plain_wave(&wave, mel, rate.to_f64()),
            }
        }
        (Clip::Video { .. }, Ticks::Wave(_)) | (Clip::Audio { .. }, Ticks::Frames(_)) => {
            unreachable!("ClipSource: a request is answered in its own kind")
        }
        (Clip::Text { .. } | Clip::Flow { .. }, _) => unreachable!("{REFUSED}"),
    }
}

/// What the host does of a view's chain where the rest stands behind the batch: a batch of one.
fn begin_view(modality: &hir::Modality, host: Host, ticks: &Ticks, key: &Key) -> Tensor {
    let keys = std::slice::from_ref(key);
    let links = &modality.augment.links;
    let begun = match (&modality.clip, ticks) {
        (Clip::Video { size, .. }, Ticks::Frames(frames)) => {
            let frames = std::slice::from_ref(frames);
            crate::augment::visual::first_links(links, host.links, frames, *size, keys)
        }
        (Clip::Audio { .. }, Ticks::Wave(wave)) => {
            let is_wave = |at: &usize| links[*at].domain() == hir::Domain::Wave;
            let waves = (0..host.links).filter(is_wave);
            waves.fold(wave.unsqueeze(0), |wave, at| {
                crate::augment::augment_link(modality, at, &wave, keys)
            })
        }
        (Clip::Video { .. }, Ticks::Wave(_)) | (Clip::Audio { .. }, Ticks::Frames(_)) => {
            unreachable!("ClipSource: a request is answered in its own kind")
        }
        (Clip::Text { .. } | Clip::Flow { .. }, _) => unreachable!("{REFUSED}"),
    };
    if !host.converts {
        return begun;
    }
    let converted = crate::augment::convert(modality, &begun);
    let is_spectrogram = |at: &usize| links[*at].domain() == hir::Domain::Spectrogram;
    (0..host.links)
        .filter(is_spectrogram)
        .fold(converted, |spectrogram, at| {
            crate::augment::augment_link(modality, at, &spectrogram, keys)
        })
}

/// A request for `ticks` of a modality's clip.
pub(super) fn request(clip: &Clip, start: f64, ticks: u32) -> Request {
    match clip {
        Clip::Video { fps, .. } => Request::Video {
            start,
            frames: ticks,
            fps: *fps,
        },
        Clip::Audio { rate, .. } => Request::Audio {
            start,
            samples: ticks,
            rate: *rate,
        },
        Clip::Text { .. } | Clip::Flow { .. } => unreachable!("{REFUSED}"),
    }
}

/// The clips in the order of one epoch and round.
type Permutation = Arc<Vec<u32>>;

/// The order of the clips: each epoch goes through all of them in keyed random order, as often as its samples need.
struct Order {
    seed: u64,
    clips: Vec<u32>,
    /// The last few orders, by epoch and round.
    known: Mutex<BTreeMap<(u64, u64), Permutation>>,
}

impl Order {
    /// The clip at a position of an epoch, and how many times the epoch went through all clips before.
    fn at(&self, epoch: u64, position: u64) -> (u32, u64) {
        let (round, place) = (
            position / self.clips.len() as u64,
            position % self.clips.len() as u64,
        );
        // A panic while the lock is held cannot leave a half-made order behind: entries are inserted whole.
        let mut known = self
            .known
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let order = known.entry((epoch, round)).or_insert_with(|| {
            let mut order = self.clips.clone();
            Key::at(self.seed, &format!("order/{epoch}/{round}"))
                .stream()
                .shuffle(&mut order);
            Arc::new(order)
        });
        let clip = order[place as usize];
        while known.len() > 8 {
            known.pop_first();
        }
        (clip, round)
    }
}

/// What is read for a sample, by the plan's steps.
struct Reading {
    /// Modality, first view, ticks.
    decodes: Vec<(String, u32, u32)>,
    slices: Vec<Slice>,
}

/// One view's ticks in what was decoded.
struct Slice {
    decode: usize,
    modality: String,
    view: u32,
    start: i64,
    length: i64,
    /// What of the chain stands in front of the batch; `None`: all of it.
    host: Option<Host>,
}

/// The part of a chain that is done sample by sample: its first links, and whether the conversion is among it.
#[derive(Clone, Copy, Default)]
struct Host {
    links: usize,
    converts: bool,
}

impl Slice {
    fn of(&self, ticks: &Ticks) -> Ticks {
        match ticks {
            Ticks::Frames(frames) => Ticks::Frames(frames.narrow(0, self.start, self.length)),
            Ticks::Wave(wave) => Ticks::Wave(wave.narrow(0, self.start, self.length)),
        }
    }
}

impl Reading {
    fn of(steps: &[plan::Step]) -> Self {
        let mut reading = Self {
            decodes: Vec::new(),
            slices: Vec::new(),
        };
        let mut places = BTreeMap::new();
        // By step: the slice whose ticks it changes in front of the batch, and what is done until then.
        let mut begun: BTreeMap<usize, (usize, Host)> = BTreeMap::new();
        for (at, step) in steps.iter().enumerate() {
            if let Node::Decode {
                modality,
                views,
                length,
            } = &step.node
            {
                places.insert(at, reading.decodes.len());
                reading.decodes.push((modality.clone(), views[0], *length));
            } else if let Node::Slice {
                modality,
                view,
                start,
                length,
            } = &step.node
            {
                begun.insert(at, (reading.slices.len(), Host::default()));
                reading.slices.push(Slice {
                    host: None,
                    decode: places[&step.inputs[0]],
                    modality: modality.clone(),
                    view: *view,
                    start: i64::from(*start),
                    length: i64::from(*length),
                });
            } else if let Some((slice, host)) = step.inputs.first().and_then(|i| begun.get(i)) {
                let (slice, mut host) = (*slice, *host);
                match &step.node {
                    Node::Augment { .. } => host.links += 1,
                    Node::Convert { .. } => host.converts = true,
                    Node::Batch { .. } => {
                        // Where another step of the chain reads the batch, the chain goes on behind it.
                        let goes_on = |other: &plan::Step| {
                            other.inputs.first() == Some(&at)
                                && matches!(other.node, Node::Augment { .. } | Node::Convert { .. })
                        };
                        reading.slices[slice].host = steps.iter().any(goes_on).then_some(host);
                        continue;
                    }
                    Node::Source
                    | Node::Sample
                    | Node::Decode { .. }
                    | Node::Slice { .. }
                    | Node::Encode { .. }
                    | Node::Predict { .. }
                    | Node::Part { .. }
                    | Node::StopGradient
                    | Node::L2
                    | Node::Scale { .. }
                    | Node::Operator { .. }
                    | Node::Term { .. }
                    | Node::Cosines { .. }
                    | Node::Sum { .. } => continue,
                }
                begun.insert(at, (slice, host));
            }
        }
        reading
    }

    fn requests(&self, modalities: &[hir::Modality], windows: &Windows) -> Vec<Request> {
        let request_of = |(name, view, ticks): &(String, u32, u32)| {
            let at = modalities
                .iter()
                .position(|modality| modality.name == *name);
            let at = at.expect("validate: every decode is of a declared modality");
            request(
                &modalities[at].clip,
                windows.starts[at][*view as usize - 1],
                *ticks,
            )
        };
        self.decodes.iter().map(request_of).collect()
    }
}
