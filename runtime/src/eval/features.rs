//! Features of a labelled data set: windows of its samples through a trained backbone, up to the last convolution's map and
//! what the protocol makes of that.
//!
//! Training clips are augmented and test clips are not. A data set with folds gives each sample both once; all splits share
//! them. Random windows and augmentations belong to (seed, sample, visit) alone.

use super::feature_set::{FeatureSet, Features};
use crate::augment::{Key, augment_frames, augment_wave, plain_frames, plain_wave};
use crate::checkpoint;
use crate::data::sampler::SLACK;
use crate::data::source::{ClipSource, Limits, Request, Streams, Ticks};
use crate::error::{Error, Result};
use crate::nn::{self, Backbone};
use crate::parallel::in_parallel;
use compiler::hir::{self, Clip, Clips, Data, FeatureStep, Short};
use compiler::plan::Extract;
use records::record::ClipCounts;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use tch::{Device, Kind, Tensor};

/// Clips that go through the backbone in one call.
const BATCH: i64 = 32;

/// Where and how an extraction runs: nothing here changes what it gives.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The backbone's device.
    pub device: Device,
    /// Threads that decode and augment.
    pub threads: usize,
    /// The share of undecodable files above which it stops.
    pub max_bad_share: f64,
    /// Set to end it with [`Error::Interrupted`].
    pub stop: &'a AtomicBool,
}

/// One sample's clips as the backbone takes them: `[n, 3, T, H, W]` or `[n, 1, bands, columns]`; none of a kind that no split uses.
struct Views {
    train: Option<Tensor>,
    test: Option<Tensor>,
}

/// What became of a sample.
enum Outcome {
    Views(Views),
    /// Too short, or without the stream.
    Skipped,
    /// The file and what is wrong with it.
    Undecodable(PathBuf, String),
}

/// Extracts the features that `work` describes from `source`, with the backbone of the pretraining `model` whose weights are in
/// `weights`. `progress` is called with the numbers of samples done and of all.
pub fn extract(
    work: &Extract,
    model: &hir::Pretrain,
    weights: &Path,
    source: &dyn ClipSource,
    site: Site,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(FeatureSet, ClipCounts)> {
    let (backbone, parameters) = Backbone::of_modality(model, &work.eval.uses, site.device)?;
    checkpoint::load(weights, parameters.entries())?;
    let kind = nn::kind(model.precision);
    let samples = samples(work, source)?;
    let mut set = FeatureSet {
        data: name(&work.eval.data).to_owned(),
        splits: splits(&work.eval.data),
        classes: source.classes().to_vec(),
        ..FeatureSet::default()
    };
    let mut counts = ClipCounts {
        asked: samples.len() as u64,
        ..ClipCounts::default()
    };
    // As many samples at once as keep all threads busy, and no more: the frames of a sample are tens of megabytes.
    for (round, some) in samples.chunks(2 * site.threads.max(1)).enumerate() {
        if site.stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        progress((round * 2 * site.threads.max(1)) as u64, counts.asked);
        let outcomes = in_parallel(site.threads, some, |sample| views(work, source, sample))?;
        for (sample, outcome) in some.iter().zip(outcomes) {
            match outcome {
                Outcome::Skipped => counts.skipped += 1,
                Outcome::Undecodable(path, cause) => counts.undecodable.push((path, cause)),
                Outcome::Views(views) => {
                    let owner = set.samples.len();
                    set.samples.push(source.name(sample.clip));
                    set.labels.push(sample.label);
                    set.folds.push(sample.fold);
                    for (clips, features) in
                        [(views.train, &mut set.train), (views.test, &mut set.test)]
                    {
                        let Some(clips) = clips else { continue };
                        let rows =
                            through(&backbone, &clips, kind, site.device, &work.eval.features)?;
                        set.width = append(features, owner, &rows)?;
                    }
                }
            }
        }
    }
    progress(counts.asked, counts.asked);
    counts.undecodable.sort();
    if counts.undecodable.len() as f64 > site.max_bad_share * counts.asked as f64 {
        return Err(Error::TooManyFailures {
            name: set.data,
            total: samples.len(),
            failed: counts.undecodable,
        });
    }
    Ok((set, counts))
}

/// A labelled clip of the data set.
#[derive(Clone, Copy, Debug)]
struct Sample {
    clip: usize,
    label: u32,
    fold: u32,
    trains: bool,
    tests: bool,
}

/// The samples that some split uses, in the order of the data set.
fn samples(work: &Extract, source: &dyn ClipSource) -> Result<Vec<Sample>> {
    let splits = splits(&work.eval.data);
    let wrong = |clip: usize, what: &str, help: &str| Error::Data {
        name: name(&work.eval.data).to_owned(),
        message: format!("`{}` has no {what}", source.name(clip)),
        help: help.to_owned(),
    };
    let mut samples = vec![];
    for clip in 0..source.len() {
        let label = source.label(clip).ok_or_else(|| {
            wrong(
                clip,
                "class",
                "sort the files into a folder for each class, or give its CSV a label column",
            )
        })?;
        let fold = source.fold(clip).ok_or_else(|| {
            wrong(
                clip,
                "fold",
                "give its CSV a column `fold` (1, 2, ...) or `split` (`train`, `test`)",
            )
        })?;
        samples.push(Sample {
            clip,
            label,
            fold,
            trains: splits > 1 || fold != 1,
            tests: (1..=splits).contains(&fold),
        });
    }
    Ok(samples)
}

/// Reads the windows of a sample, each kind once, and turns them into views.
fn views(work: &Extract, source: &dyn ClipSource, sample: &Sample) -> Result<Outcome> {
    let undecodable = |error: Error| match error {
        Error::Decode { path, cause } => Ok(Outcome::Undecodable(path, cause)),
        other => Err(other),
    };
    let streams = match source.streams(sample.clip) {
        Ok(streams) => streams,
        Err(error) => return undecodable(error),
    };
    let clip = &work.eval.clip;
    let Some(limits) =
        stream(clip, &streams).filter(|limits| fits(clip, *limits, short(&work.eval.data)))
    else {
        return match short(&work.eval.data) {
            Short::Error => Err(Error::Data {
                name: name(&work.eval.data).to_owned(),
                message: format!(
                    "`{}` is shorter than {} s, or lacks the stream",
                    source.name(sample.clip),
                    clip.seconds().to_f64()
                ),
                help:
                    "write `short: skip`, `pad` or `loop` in its declaration, or take the file out"
                        .to_owned(),
            }),
            Short::Skip | Short::Pad | Short::Loop => Ok(Outcome::Skipped),
        };
    };
    let keys = |clips: Clips| -> Vec<Key> {
        let (Clips::Random(n) | Clips::Uniform(n)) = clips;
        let place = |visit| {
            Key::at(
                work.seed,
                &format!("evaluation/{}/visit/{visit}", sample.clip),
            )
        };
        (0..n).map(place).collect()
    };
    let mut requests = vec![];
    let (train_keys, test_keys) = (keys(work.eval.train), keys(work.eval.test));
    if sample.trains {
        requests.extend(
            starts(work.eval.train, clip, limits, &train_keys).map(|start| request(clip, start)),
        );
    }
    let trained = requests.len();
    if sample.tests {
        requests.extend(
            starts(work.eval.test, clip, limits, &test_keys).map(|start| request(clip, start)),
        );
    }
    let mut ticks = match source.read(sample.clip, &requests) {
        Ok(ticks) => ticks,
        Err(error) => return undecodable(error),
    };
    let test = ticks.split_off(trained);
    let keys: Vec<Key> = train_keys
        .iter()
        .map(|key| key.child(&work.eval.uses))
        .collect();
    Ok(Outcome::Views(Views {
        train: (!ticks.is_empty()).then(|| view(work, ticks, Some(&keys))),
        test: (!test.is_empty()).then(|| view(work, test, None)),
    }))
}

/// Windows as the backbone takes them: augmented with the random numbers of `keys`, or as they are.
fn view(work: &Extract, ticks: Vec<Ticks>, keys: Option<&[Key]>) -> Tensor {
    let chain = &work.eval.augment;
    let tensors: Vec<Tensor> = ticks
        .into_iter()
        .map(|ticks| match ticks {
            Ticks::Frames(frames) => frames,
            Ticks::Wave(wave) => wave,
        })
        .collect();
    match (&work.eval.clip, keys) {
        (Clip::Video { size, .. }, Some(keys)) => augment_frames(chain, &tensors, *size, keys),
        (Clip::Video { size, .. }, None) => plain_frames(&tensors, *size),
        (Clip::Audio { rate, mel, .. }, Some(keys)) => {
            augment_wave(chain, &Tensor::stack(&tensors, 0), mel, rate.to_f64(), keys)
        }
        (Clip::Audio { rate, mel, .. }, None) => {
            plain_wave(&Tensor::stack(&tensors, 0), mel, rate.to_f64())
        }
    }
}

/// The stream that the clip is cut from.
fn stream(clip: &Clip, streams: &Streams) -> Option<Limits> {
    match clip {
        Clip::Video { .. } => streams.video,
        Clip::Audio { .. } => streams.audio,
    }
}

/// Whether one window fits, where the data set's rule asks for it.
fn fits(clip: &Clip, limits: Limits, short: Short) -> bool {
    match short {
        Short::Pad | Short::Loop => true,
        Short::Skip | Short::Error => limits.end - limits.start + SLACK >= clip.seconds().to_f64(),
    }
}

fn request(clip: &Clip, start: f64) -> Request {
    match clip {
        Clip::Video { frames, fps, .. } => Request::Video {
            start,
            frames: *frames,
            fps: *fps,
        },
        Clip::Audio { samples, rate, .. } => Request::Audio {
            start,
            samples: *samples,
            rate: *rate,
        },
    }
}

/// The starts of the windows, in seconds on the clip's clock. A stream that is too short has all at its beginning.
fn starts(clips: Clips, clip: &Clip, limits: Limits, keys: &[Key]) -> impl Iterator<Item = f64> {
    let first = limits.start;
    let last = (limits.end - clip.seconds().to_f64()).max(first);
    let start = move |(k, key): (usize, &Key)| match clips {
        Clips::Random(_) => key.draws("start").uniform(first, last),
        Clips::Uniform(n) => first + (last - first) * k as f64 / f64::from(n.max(2) - 1),
    };
    keys.iter().enumerate().map(start)
}

/// Clips through the backbone and the steps: `[rows, D]` on the CPU.
fn through(
    backbone: &Backbone,
    clips: &Tensor,
    kind: Kind,
    device: Device,
    steps: &[FeatureStep],
) -> Result<Tensor> {
    let maps: Vec<Tensor> = clips
        .split(BATCH, 0)
        .iter()
        .map(|batch| Ok(backbone.conv5(&batch.f_to_device(device)?.f_to_kind(kind)?)))
        .collect::<Result<_>>()?;
    let map = steps
        .iter()
        .try_fold(Tensor::cat(&maps, 0), |map, step| apply(step, &map))?;
    Ok(map
        .flatten(1, -1)
        .f_to_device(Device::Cpu)?
        .to_kind(Kind::Float)
        .contiguous())
}

/// One step on maps `[n, C, ...]`.
fn apply(step: &FeatureStep, map: &Tensor) -> Result<Tensor> {
    match step {
        FeatureStep::MaxPool { kernel, stride } => {
            let size = &map.size()[2..];
            let wide =
                |sizes: &[u32]| -> Vec<i64> { sizes.iter().map(|n| i64::from(*n)).collect() };
            let (kernel, stride) = (wide(kernel), wide(stride));
            if kernel.len() != size.len()
                || stride.len() != size.len()
                || kernel.iter().zip(size).any(|(k, n)| k > n)
            {
                return Err(Error::Unsupported {
                    message: format!(
                        "a pool of {kernel:?} with stride {stride:?} does not fit the map of {size:?} after conv5"
                    ),
                });
            }
            let none = vec![0; size.len()];
            let one = vec![1; size.len()];
            Ok(match size.len() {
                3 => map.f_max_pool3d(kernel, stride, none, one, false)?,
                _ => map.f_max_pool2d(kernel, stride, none, one, false)?,
            })
        }
        FeatureStep::L2 => {
            let norm = map
                .square()
                .sum_dim_intlist([-1].as_slice(), true, None)
                .sqrt();
            // The floor of PyTorch's `normalize`: a cell of zeros stays zero.
            Ok(map / norm.clamp_min(1e-12))
        }
        FeatureStep::Bn => Ok(map / (1.0f64 + 1e-5).sqrt()),
        FeatureStep::MeanClips => Ok(map.mean_dim([0].as_slice(), true, None)),
    }
}

/// Adds the rows of `owner`; returns their width.
fn append(features: &mut Features, owner: usize, rows: &Tensor) -> Result<usize> {
    let (count, width) = rows.size2()?;
    let at = features.values.len();
    features.values.resize(at + (count * width) as usize, 0.0);
    rows.f_copy_data(&mut features.values[at..], (count * width) as usize)?;
    features.samples.extend((0..count).map(|_| owner));
    Ok(width as usize)
}

fn name(data: &Data) -> &str {
    match data {
        Data::Synthetic(_) => "synthetic",
        Data::Videos(files) | Data::Sounds(files) => &files.name,
    }
}

fn splits(data: &Data) -> u32 {
    match data {
        Data::Synthetic(synthetic) => synthetic.splits,
        Data::Videos(files) | Data::Sounds(files) => files.splits,
    }
}

/// Rendered clips are as long as asked for; one that is too short is a mistake in the file.
fn short(data: &Data) -> Short {
    match data {
        Data::Synthetic(_) => Short::Error,
        Data::Videos(files) | Data::Sounds(files) => files.short,
    }
}
