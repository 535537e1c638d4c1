//! Features of a labelled data set: windows of its samples through a trained backbone, up to the last convolution's map and
//! what the protocol makes of that.
//!
//! Training clips are augmented and test clips are not. A data set with folds gives each sample both once; all splits share
//! them.

use super::feature_set::FeatureSet;
use super::values::Gathered;
use crate::checkpoint;
use crate::data::admission::Tally;
use crate::data::loader::Options;
use crate::data::manifest::splits;
use crate::data::reader::{Read, Reader, Role};
use crate::data::source::ClipSource;
use crate::error::{Error, Result};
use crate::nn::{self, Backbone};
use compiler::hir::{self, Data, FeatureStep};
use compiler::plan::Extract;
use records::record::ClipCounts;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tch::{Device, Kind, Tensor};

/// Clips that go through the backbone in one call.
const BATCH: i64 = 32;

/// A finished pretraining.
#[derive(Clone, Copy, Debug)]
pub struct Trained<'a> {
    /// What it was.
    pub settings: &'a hir::Pretrain,
    /// Its checkpoint.
    pub weights: &'a Path,
}

/// Extracts the features that `work` describes from `source`, with the backbone of `model`. Where `few` are asked for, so many training
/// samples of each class in each fold are read, and one that is tested. Rows that memory does not hold are in a file of `folder` that has no
/// name. `progress` is called with the numbers of samples read and of
/// all to be read.
pub fn extract(
    work: &Extract,
    model: Trained,
    source: &Arc<dyn ClipSource>,
    device: Device,
    (options, few, folder): (&Options, Option<u32>, &Path),
    progress: &mut dyn FnMut(u64, u64),
    stop: &AtomicBool,
) -> Result<(FeatureSet, ClipCounts)> {
    let network = Frozen::load(model, &work.eval, device)?;
    let mut set = labelled(&work.eval.data, source.as_ref())?;
    let count = set.splits;
    let trains = |fold: u32| splits::trains(fold, count);
    let tests = |fold: u32| splits::tests(fold, count);
    let of_folds = |wanted: &dyn Fn(u32) -> bool, most: Option<u32>| -> Vec<u32> {
        let places = set.folds.iter().zip(&set.labels);
        let mut seen = BTreeMap::new();
        let mut is_one_of_few = |place| {
            let count = seen.entry(place).or_insert(0);
            *count += 1;
            most.is_none_or(|most| *count <= most)
        };
        (0..)
            .zip(places)
            .filter(|(_, (fold, _))| wanted(**fold))
            .filter(|(_, place)| is_one_of_few(*place))
            .map(|(clip, _)| clip)
            .collect()
    };
    let roles = [
        (Role::Train, of_folds(&trains, few)),
        (Role::Test, of_folds(&tests, few.map(|_| 1))),
    ];
    let all: u64 = roles.iter().map(|(_, clips)| clips.len() as u64).sum();

    let mut done = 0;
    let mut left_out = BTreeSet::new();
    let mut failed = BTreeMap::new();
    for (role, clips) in roles {
        let mut features = Gathered::new(folder);
        let asked = Asked {
            role,
            clips,
            seed: work.seed,
            options,
        };
        let read = network.read(
            source,
            asked,
            &mut features,
            &mut || progress(next(&mut done), all),
            stop,
        )?;
        set.width = read.width.unwrap_or(set.width);
        *match role {
            Role::Train => &mut set.train,
            Role::Test => &mut set.test,
        } = features.finish()?;
        left_out.extend(read.left_out.into_keys());
        failed.extend(read.failed);
    }
    let mut tally = Tally::new(&set.data, options.max_bad_share, set.samples.len());
    tally.failed.clone_from(&failed);
    tally.finish()?;
    let counts = ClipCounts {
        asked: set.samples.len() as u64,
        skipped: left_out.len().saturating_sub(failed.len()) as u64,
        undecodable: failed
            .into_iter()
            .map(|(name, cause)| (name.into(), cause))
            .collect(),
        ..ClipCounts::default()
    };
    Ok((set, counts))
}

/// The number after this one, which it becomes.
fn next(number: &mut u64) -> u64 {
    *number += 1;
    *number
}

/// A trained backbone that learns no more, and what a protocol makes of its last map.
pub(crate) struct Frozen<'e> {
    backbone: Backbone,
    eval: &'e hir::Eval,
    kind: Kind,
    device: Device,
}

/// Which clips are read, and how.
pub(crate) struct Asked<'o> {
    /// Augmented or not.
    pub role: Role,
    /// Positions in the data set.
    pub clips: Vec<u32>,
    /// Seed of random windows and augmentations.
    pub seed: u64,
    /// Threads, and how many files may be unreadable.
    pub options: &'o Options,
}

/// What came of them beside the features.
#[derive(Default)]
pub(crate) struct Came {
    /// Values of a row; `None` where nothing was read.
    pub width: Option<usize>,
    /// Samples without features, each with its name and the reason.
    pub left_out: BTreeMap<usize, String>,
    /// Of them, the files that could not be decoded, and why.
    pub failed: BTreeMap<String, String>,
}

impl<'e> Frozen<'e> {
    /// The backbone that `eval` uses, with the weights of `model`.
    ///
    /// # Errors
    /// As [`checkpoint::load`]; a modality that the model does not have.
    pub fn load(model: Trained, eval: &'e hir::Eval, device: Device) -> Result<Self> {
        let (backbone, parameters) = Backbone::of_modality(model.settings, &eval.uses, device)?;
        checkpoint::load(model.weights, parameters.entries())?;
        Ok(Self {
            backbone,
            eval,
            kind: nn::kind(model.settings.precision),
            device,
        })
    }

    /// Adds the features of the clips that are asked for; `each` is called for every sample.
    ///
    /// # Errors
    /// Files that cannot be read, beyond the share that may be; [`Error::Interrupted`] once `stop` is set.
    pub fn read(
        &self,
        source: &Arc<dyn ClipSource>,
        asked: Asked<'_>,
        features: &mut Gathered,
        each: &mut dyn FnMut(),
        stop: &AtomicBool,
    ) -> Result<Came> {
        let Asked {
            role,
            clips,
            seed,
            options,
        } = asked;
        let mut came = Came::default();
        let mut reader = Reader::new(Arc::clone(source), self.eval, role, clips, seed, options);
        for read in reader.by_ref() {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            match read? {
                Read::LeftOut { clip, note } => drop(came.left_out.insert(clip, note)),
                Read::Views { clip, views } => {
                    let steps = &self.eval.features;
                    let rows = through(&self.backbone, &views, self.kind, self.device, steps)?;
                    came.width = Some(features.add(clip, &rows)?);
                }
            }
            each();
        }
        came.failed = reader.failed().clone();
        Ok(came)
    }
}

/// The samples of the data set with their classes and folds, without features.
pub fn labelled(data: &Data, source: &dyn ClipSource) -> Result<FeatureSet> {
    let (name, splits) = match data {
        Data::Synthetic(synthetic) => ("synthetic", synthetic.splits),
        Data::Videos(files) | Data::Sounds(files) => (files.name.as_str(), files.splits),
    };
    let wrong = |clip: usize, what: &str, help: &str| Error::Data {
        name: name.to_owned(),
        message: format!("`{}` has no {what}", source.name(clip)),
        help: help.to_owned(),
    };
    let mut set = FeatureSet {
        data: name.to_owned(),
        splits,
        classes: source.classes().to_vec(),
        ..FeatureSet::default()
    };
    for clip in 0..source.len() {
        let class_help =
            "sort the files into a folder for each class, or give its CSV the label column";
        let fold_help = "give its CSV a column `fold` (1, 2, ...) or `split` (`train`, `test`)";
        set.samples.push(source.name(clip));
        set.labels.push(
            source
                .label(clip)
                .ok_or_else(|| wrong(clip, "class", class_help))?,
        );
        set.folds.push(
            source
                .fold(clip)
                .ok_or_else(|| wrong(clip, "fold", fold_help))?,
        );
    }
    Ok(set)
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
        .map(|batch| {
            let batch = batch.f_to_device(device)?.f_to_kind(kind)?;
            Error::caught(|| Ok(backbone.conv5(&batch)))
        })
        .collect::<Result<_>>()?;
    let map = Tensor::cat(&maps, 0);
    let map = steps.iter().try_fold(map, |map, step| apply(step, &map))?;
    let rows = map.flatten(1, -1).f_to_device(Device::Cpu)?;
    Ok(rows.to_kind(Kind::Float).contiguous())
}

/// One step on maps `[n, C, ...]`.
fn apply(step: &FeatureStep, map: &Tensor) -> Result<Tensor> {
    match step {
        FeatureStep::MaxPool { kernel, stride } => {
            let size = &map.size()[2..];
            let fits = |lengths: &[u32]| lengths.len() == size.len() && !lengths.contains(&0);
            let is_inside = kernel.iter().zip(size).all(|(k, n)| i64::from(*k) <= *n);
            if !fits(kernel) || !fits(stride) || !is_inside {
                return Err(Error::Unsupported {
                    message: format!(
                        "a pool of {kernel:?} with stride {stride:?} does not fit the map of {size:?} after conv5"
                    ),
                });
            }
            let wide =
                |lengths: &[u32]| -> Vec<i64> { lengths.iter().map(|n| i64::from(*n)).collect() };
            let (none, one) = (vec![0; size.len()], vec![1; size.len()]);
            Ok(match size.len() {
                3 => map.f_max_pool3d(wide(kernel), wide(stride), none, one, false)?,
                _ => map.f_max_pool2d(wide(kernel), wide(stride), none, one, false)?,
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
        FeatureStep::L2Vector => {
            let axes: Vec<i64> = (1..map.dim() as i64).collect();
            let norm = map.square().sum_dim_intlist(axes, true, None).sqrt();
            Ok(map / norm.clamp_min(1e-12))
        }
        FeatureStep::Bn => Ok(map / (1.0f64 + 1e-5).sqrt()),
        FeatureStep::MeanClips => Ok(map.mean_dim([0].as_slice(), true, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(kernel: &[u32], stride: &[u32]) -> FeatureStep {
        FeatureStep::MaxPool {
            kernel: kernel.to_vec(),
            stride: stride.to_vec(),
        }
    }

    /// The widths that the released code and appendix E state for 512 channels, and for ours.
    #[test]
    fn pools_leave_the_values_that_the_protocols_state() {
        let width = |size: &[i64], step: &FeatureStep| {
            let map = Tensor::zeros([&[2, 512], size].concat(), (Kind::Float, Device::Cpu));
            apply(step, &map).unwrap().flatten(1, -1).size()[1]
        };
        let sound = pool(&[1, 3], &[1, 2]);
        assert_eq!(width(&[3, 7], &sound), 4608);
        assert_eq!(width(&[3, 16], &sound), 10752);
        assert_eq!(width(&[3, 4], &sound), 1536);
        let frames = pool(&[1, 4, 4], &[1, 1, 1]);
        assert_eq!(width(&[1, 7, 7], &frames), 8192);
        assert_eq!(width(&[1, 4, 4], &frames), 512);
        let small = Tensor::zeros([1, 512, 1, 3, 3], (Kind::Float, Device::Cpu));
        let message = apply(&frames, &small).unwrap_err().to_string();
        assert_eq!(
            message,
            "a pool of [1, 4, 4] with stride [1, 1, 1] does not fit the map of [1, 3, 3] after conv5"
        );
    }

    #[test]
    fn normalisation_is_along_the_last_axis_alone() {
        let map = Tensor::from_slice(&[3.0f32, 4.0, 0.0, 0.0]).view([1, 1, 2, 2]);
        let rows: Vec<f32> = apply(&FeatureStep::L2, &map)
            .unwrap()
            .flatten(0, -1)
            .try_into()
            .unwrap();
        assert_eq!(rows, [0.6, 0.8, 0.0, 0.0]);
        let rows: Vec<f32> = apply(&FeatureStep::Bn, &map)
            .unwrap()
            .flatten(0, -1)
            .try_into()
            .unwrap();
        assert!((rows[1] - 4.0 / 1.000005).abs() < 1e-6);
        // Over all values of a clip: two clips of norms 5 and 13, each with a row of its own in the map.
        let maps = Tensor::from_slice(&[3.0f32, 0.0, 0.0, 4.0, 0.0, 5.0, 12.0, 0.0]);
        let whole = apply(&FeatureStep::L2Vector, &maps.view([2, 1, 2, 2])).unwrap();
        let rows: Vec<f32> = whole.flatten(0, -1).try_into().unwrap();
        let expected = [0.6, 0.0, 0.0, 0.8, 0.0, 5.0 / 13.0, 12.0 / 13.0, 0.0];
        let is_near = |(found, expected): (&f32, &f32)| (found - expected).abs() < 1e-6;
        assert!(rows.iter().zip(&expected).all(is_near), "{rows:?}");
    }

    #[test]
    fn the_mean_over_clips_leaves_one_row() {
        let map = Tensor::from_slice(&[1.0f32, 2.0, 5.0, 8.0]).view([2, 2, 1, 1]);
        let mean = apply(&FeatureStep::MeanClips, &map).unwrap().flatten(1, -1);
        assert_eq!(Vec::<f32>::try_from(mean.view(-1)).unwrap(), [3.0, 5.0]);
        assert_eq!(mean.size(), [1, 2]);
    }
}
