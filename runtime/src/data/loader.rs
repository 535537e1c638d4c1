//! Batches of augmented views for training: clips in keyed order, decoded on several threads ahead of the step, and augmented there
//! or, a whole batch at once, on the device of the training.
//!
//! Everything random is keyed by what it belongs to: the order of the clips by epoch and round, the windows, augmentations and
//! replacements by sample and epoch. So batches are the same, bit for bit, on any number of threads and after a resume, and the
//! parameters of the augmentations are the same wherever they are applied.

use super::admission::{Admission, Tally, cause, name_of, short_of};
use super::batch::{Batch, Batches, Clips};
use super::decoded::{Decoded, Spans};
use super::joined::Memory;
use super::order::Order;
use super::ordered::{Gauge, Ordered};
use super::overlaps::Overlaps;
use super::reading::Reading;
use super::sampler::Sampler;
use super::source::{ClipSource, Ticks};
use crate::augment::Key;
use crate::error::{Error, Result};
use compiler::{hir, plan};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tch::{Device, Tensor};

/// Clips tried in the place of one that cannot be read before the run gives up.
const REDRAWS: u32 = 20;

/// Bytes of what is made ahead: of larger batches fewer are, but always one.
const MEMORY: u64 = 4 << 30;

/// How the data are read on this machine. What is drawn does not depend on it; neither do the values of a batch that is augmented
/// on the CPU.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Threads that decode, and augment where that is done on the CPU.
    pub threads: usize,
    /// Batches that are made ahead, if 4 GiB hold as many.
    pub ahead: usize,
    /// The share of files that may be undecodable before the run stops.
    pub max_bad_share: f64,
    /// The first step that will be asked for: 0, or where a resumed run goes on.
    pub first_step: u64,
    /// Where views are augmented: `None` sample by sample on the threads, else a batch at once on this device.
    pub augment_on: Option<Device>,
    /// The part of each batch that is read.
    pub part: Part,
}

/// One of several equal parts of each batch, of consecutive samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its number, from 0.
    pub number: u64,
    /// How many there are. They must divide the batch.
    pub of: u64,
}

impl Part {
    /// All of a batch.
    pub const WHOLE: Self = Self { number: 0, of: 1 };
}

/// The batches of one training.
pub struct Loader {
    samples: Ordered<Result<Sample>>,
    reading: Reading,
    admission: Admission,
    /// Those that are admitted, shared with each batch.
    clips: Arc<[u32]>,
    tally: Tally,
    /// Judges it after each batch: no other rank sees a part of them.
    judges: bool,
    /// Files that were replaced and not yet told of, and why.
    failed: BTreeMap<String, String>,
    /// A file was replaced in this process.
    has_failed: bool,
    /// Samples that were made, replaced ones among them.
    samples_made: u64,
    batch: usize,
    /// Steps of the whole training.
    steps: u64,
    ahead: usize,
    augment_on: Option<Device>,
    /// Spans that a device may still be reading.
    read: Vec<Spans>,
    memory: Memory,
}

/// One sample of a batch, or what was tried for it.
pub(super) struct Sample {
    pub made: Made,
    /// The place of its random numbers.
    pub key: Key,
    /// How much of each other its windows cover.
    pub overlaps: Overlaps,
    /// The clips that were read, the last one with success.
    pub tried: Vec<u32>,
    /// Names of those that could not be read, and why.
    pub failed: Vec<(String, String)>,
}

/// How far a thread has brought a sample.
pub(super) enum Made {
    /// The spans that it asks for.
    Ticks(Vec<Ticks>),
    /// Its views by modality and number, each a batch of one.
    Views(BTreeMap<(String, u32), Tensor>),
}

/// The samples of a batch.
#[derive(Default)]
struct Taken {
    made: Vec<Made>,
    keys: Vec<Key>,
    clips: Vec<u32>,
    overlaps: Overlaps,
    /// How long they were waited for.
    waited: Duration,
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
        let augments = options.augment_on.is_none();
        let (work, admission) = Work::new(source, pretrain, options.max_bad_share, augments)?;
        let counts = (settings.bs, settings.ep);
        Ok(Self::start(work, admission, counts, options))
    }

    /// The same of the training clips of an evaluation that trains a backbone as `recipe` says: of those clips of the set that `takes`
    /// takes. Each has one view, number 1.
    ///
    /// # Errors
    /// As [`Admission::new`].
    pub fn of_eval(
        source: Arc<dyn ClipSource>,
        (eval, recipe): (&hir::Eval, &hir::Finetune),
        takes: &dyn Fn(usize) -> bool,
        seed: u64,
        options: &Options,
    ) -> Result<Self> {
        let sampler = Sampler::of_eval(eval, short_of(&eval.data));
        let share = options.max_bad_share;
        let admission = Admission::of_some(source.as_ref(), &eval.data, &sampler, share, takes)?;
        let work = Work {
            name: name_of(&eval.data).to_owned(),
            source,
            sampler,
            reading: Reading::of_eval(eval),
            order: Order::new(seed, admission.clips.as_slice().into()),
            seed,
            per_epoch: recipe.steps_per_epoch() * u64::from(recipe.bs),
            augments: options.augment_on.is_none(),
        };
        let counts = (recipe.bs, recipe.ep);
        Ok(Self::start(work, admission, counts, options))
    }

    /// Starts the threads on the batches of `bs` samples of `ep` epochs.
    fn start(work: Work, admission: Admission, (bs, ep): (u32, u32), options: &Options) -> Self {
        let share = options.max_bad_share;
        let tally = Tally::new(&work.name, share, admission.clips.len());
        let Part { number, of } = options.part;
        let whole = u64::from(bs);
        assert!(whole.is_multiple_of(of), "a batch is cut into equal parts");
        // Counted over the samples of this part alone.
        let batch = whole / of;
        let steps = work.per_epoch / whole * u64::from(ep);
        let places = options.first_step * batch..steps * batch;
        let reading = work.reading.clone();
        let ahead = options.ahead.max(1);
        let samples = Ordered::new(places, options.threads, ahead * batch as usize, move |at| {
            work.sample(at / batch * whole + number * batch + at % batch)
        });
        Self {
            samples,
            reading,
            clips: admission.clips.as_slice().into(),
            admission,
            tally,
            judges: of == 1,
            failed: BTreeMap::new(),
            has_failed: false,
            samples_made: 0,
            batch: batch as usize,
            steps,
            ahead,
            augment_on: options.augment_on,
            read: Vec::new(),
            memory: Memory::new(options.augment_on.unwrap_or(Device::Cpu)),
        }
    }

    /// The same where a training goes on that asked for so many clips before, of which these files could not be read: they count.
    #[must_use]
    pub fn after(mut self, asked: u64, failed: &BTreeMap<String, String>) -> Self {
        self.tally.elsewhere = asked;
        self.tally.failed.clone_from(failed);
        self
    }

    /// What was asked for and what could not be read, so far.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Samples that were made so far, replaced ones among them.
    pub(super) fn samples_made(&self) -> u64 {
        self.samples_made
    }

    /// Which clips are used and which are not.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Files that were replaced because they could not be read, and why: those since it was asked before.
    pub(super) fn take_failed(&mut self) -> BTreeMap<String, String> {
        std::mem::take(&mut self.failed)
    }

    /// Files that were replaced so far because they could not be read, and why.
    pub fn failed(&self) -> &BTreeMap<String, String> {
        &self.tally.failed
    }

    /// The admission, handed over; an empty one is left.
    pub(super) fn take_admission(&mut self) -> Admission {
        std::mem::take(&mut self.admission)
    }

    /// Samples of a batch.
    pub(super) fn batch(&self) -> usize {
        self.batch
    }

    /// Steps of the whole training.
    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    /// Where batches are augmented at once.
    pub(super) fn augment_on(&self) -> Option<Device> {
        self.augment_on
    }

    /// Set it to end all waiting: [`Error::Interrupted`] comes out then.
    pub(super) fn stopper(&self) -> Arc<AtomicBool> {
        self.samples.stopper()
    }

    /// How the threads keep up.
    pub(super) fn gauge(&self) -> Arc<Gauge> {
        self.samples.gauge()
    }

    /// Lets go of the batch before, so that its memory serves again; only once the device has read it.
    pub(super) fn give_back(&mut self) {
        self.read.clear();
    }

    /// Bounds what is made ahead by the memory that one batch takes.
    fn fit(&mut self, bytes: u64) {
        let ahead = (MEMORY / bytes.max(1)).clamp(1, self.ahead as u64) as usize;
        self.samples.set_ahead(ahead * self.batch);
    }

    /// The samples of the next batch.
    fn take(&mut self) -> Result<Taken> {
        let mut taken = Taken::default();
        for _ in 0..self.batch {
            let asked = Instant::now();
            let sample = self.samples.next();
            taken.waited += asked.elapsed();
            let sample = match sample {
                Some(sample) => sample?,
                None if self.samples.stopper().load(Ordering::Relaxed) => {
                    return Err(Error::Interrupted);
                }
                None => panic!("the plan has no further step"),
            };
            // The last one that was tried is the one that was read.
            taken.clips.extend(sample.tried.last());
            self.samples_made += sample.tried.len() as u64;
            self.tally.tried.extend(sample.tried);
            self.has_failed |= !sample.failed.is_empty();
            self.failed.extend(sample.failed.iter().cloned());
            self.tally.failed.extend(sample.failed);
            taken.overlaps.add(&sample.overlaps);
            taken.keys.push(sample.key);
            taken.made.push(sample.made);
        }
        // What could not be read before this process may have been mended.
        if self.judges && self.has_failed {
            self.tally.check()?;
        }
        Ok(taken)
    }

    /// The next batch as it was decoded, on the CPU. Only of a loader whose threads do not augment.
    ///
    /// # Errors
    /// [`Error::TooManyFailures`] where too many files cannot be read.
    pub fn decoded(&mut self) -> Result<Decoded> {
        let taken = self.take()?;
        let mut by_span: Vec<Vec<Ticks>> = Vec::new();
        for made in taken.made {
            let Made::Ticks(ticks) = made else {
                unreachable!("Loader: threads that augment have no spans left")
            };
            by_span.resize_with(ticks.len(), Vec::new);
            for (span, ticks) in by_span.iter_mut().zip(ticks) {
                span.push(ticks);
            }
        }
        let spans = by_span
            .iter()
            .map(|ticks| Spans::join(ticks, &mut self.memory));
        let spans: Vec<Spans> = spans.collect();
        self.fit(spans.iter().map(Spans::bytes).sum());
        Ok(Decoded {
            spans,
            keys: taken.keys,
            clips: taken.clips,
            overlaps: taken.overlaps,
            waited: taken.waited,
        })
    }

    /// The clips of a batch whose samples are of `own`.
    fn clips_of(&self, own: Vec<u32>) -> Clips {
        let all = Arc::clone(&self.clips);
        Clips { own, all }
    }

    /// The next batch, thrown away: with its views, or as it was decoded.
    ///
    /// # Errors
    /// As [`Batches::next`].
    pub fn pass(&mut self, step: u64) -> Result<()> {
        match self.augment_on {
            None => self.next(step).map(drop),
            Some(_) => self.decoded().map(drop),
        }
    }
}

impl Batches for Loader {
    fn next(&mut self, step: u64) -> Result<Batch> {
        let queued = self.samples.gauge().ready();
        if let Some(device) = self.augment_on {
            let decoded = self.decoded()?;
            let spans = decoded.spans.iter().map(|spans| spans.to_device(device));
            let ticks: Vec<Vec<Ticks>> = spans.map(|spans| spans.ticks()).collect();
            let views = self.reading.views(&ticks, &decoded.keys);
            self.read = decoded.spans;
            return Ok(Batch {
                views,
                keys: decoded.keys,
                clips: self.clips_of(decoded.clips),
                overlaps: decoded.overlaps,
                step,
                waited: decoded.waited,
                queued,
            });
        }
        let taken = self.take()?;
        let mut views: BTreeMap<(String, u32), Vec<Tensor>> = BTreeMap::new();
        for made in taken.made {
            let Made::Views(sample) = made else {
                unreachable!("Loader: threads that augment give views")
            };
            for (view, tensor) in sample {
                views.entry(view).or_default().push(tensor);
            }
        }
        let views: BTreeMap<_, _> = views
            .into_iter()
            .map(|(view, all)| (view, self.memory.cat(&all)))
            .collect();
        let bytes = |view: &Tensor| (view.numel() * view.kind().elt_size_in_bytes()) as u64;
        self.fit(views.values().map(bytes).sum());
        Ok(Batch {
            views,
            keys: taken.keys,
            clips: self.clips_of(taken.clips),
            overlaps: taken.overlaps,
            step,
            waited: taken.waited,
            queued,
        })
    }

    fn pace(&self) -> Option<f64> {
        self.samples.gauge().pace()
    }
}

/// What a thread needs to make any sample.
pub(super) struct Work {
    /// The data set's.
    name: String,
    pub source: Arc<dyn ClipSource>,
    pub sampler: Sampler,
    pub reading: Reading,
    order: Order,
    seed: u64,
    /// Samples of an epoch.
    pub per_epoch: u64,
    augments: bool,
}

impl Work {
    /// What makes the samples of `pretrain`, down to its views where it `augments`, and which clips take part.
    ///
    /// # Errors
    /// As [`Admission::new`].
    pub fn new(
        source: Arc<dyn ClipSource>,
        pretrain: &plan::Pretrain,
        max_bad_share: f64,
        augments: bool,
    ) -> Result<(Self, Admission)> {
        let settings = &pretrain.settings;
        let sampler = Sampler::new(
            &settings.relax,
            settings.views,
            short_of(&settings.data),
            &settings.modalities,
        );
        let admission = Admission::new(source.as_ref(), &settings.data, &sampler, max_bad_share)?;
        let work = Self {
            name: name_of(&settings.data).to_owned(),
            source,
            sampler,
            reading: Reading::of(pretrain),
            order: Order::new(settings.seed, admission.clips.as_slice().into()),
            seed: settings.seed,
            per_epoch: settings.steps_per_epoch() * u64::from(settings.bs),
            augments,
        };
        Ok((work, admission))
    }

    /// The sample at a position counted over all epochs.
    pub fn sample(&self, position: u64) -> Result<Sample> {
        let (epoch, position) = (position / self.per_epoch, position % self.per_epoch);
        let (mut clip, round) = self.order.at(epoch, position);
        let id = round * self.source.len() as u64 + u64::from(clip);
        let key = Key::new(self.seed, id, epoch);
        let (mut tried, mut failed) = (Vec::new(), Vec::new());
        for redraw in 0..REDRAWS {
            if redraw > 0 {
                let clips = self.order.clips();
                let draws = &mut key.draws(&format!("redraw/{redraw}"));
                clip = clips[draws.integer(0..=clips.len() as i64 - 1) as usize];
            }
            tried.push(clip);
            match self.ticks(clip as usize, &key) {
                Ok((ticks, overlaps)) => {
                    let made = self.made(ticks, &key);
                    return Ok(Sample {
                        made,
                        key,
                        overlaps,
                        tried,
                        failed,
                    });
                }
                Err(error @ (Error::Decode { .. } | Error::Io { .. })) => {
                    failed.push((self.source.name(clip as usize), cause(error)));
                }
                Err(error) => return Err(error),
            }
        }
        let failed = failed.into_iter().map(|(name, cause)| (name.into(), cause));
        Err(Error::TooManyFailures {
            name: self.name.clone(),
            total: tried.len(),
            failed: failed.collect(),
        })
    }

    /// The spans of one clip at the windows of one sample, and how these lie.
    fn ticks(&self, clip: usize, key: &Key) -> Result<(Vec<Ticks>, Overlaps)> {
        let streams = self.source.streams(clip)?;
        let windows = self
            .sampler
            .draw(&streams, key)
            .map_err(|unfit| Error::Decode {
                path: self.source.name(clip).into(),
                cause: unfit.to_string(),
            })?;
        let ticks = self.source.read(clip, &self.reading.requests(&windows))?;
        Ok((ticks, self.sampler.overlaps(&windows)))
    }

    /// The views of the spans, where threads make them.
    fn made(&self, ticks: Vec<Ticks>, key: &Key) -> Made {
        if !self.augments {
            return Made::Ticks(ticks);
        }
        let spans: Vec<Vec<Ticks>> = ticks.into_iter().map(|ticks| vec![ticks]).collect();
        Made::Views(self.reading.views(&spans, std::slice::from_ref(key)))
    }
}
