//! The file that stands between extraction and scoring: features of the clips of a labelled data set.
//!
//! `features.safetensors` holds, for S samples; one that could not be read has no rows:
//!
//! | tensor | shape | meaning |
//! | --- | --- | --- |
//! | `train` | `[R1, D]` f32 | features of augmented clips |
//! | `train_sample` | `[R1]` i64 | the sample of each row, in `0..S` |
//! | `test` | `[R2, D]` f32 | features of clips as they are |
//! | `test_sample` | `[R2]` i64 | the sample of each row |
//! | `label` | `[S]` i64 | the class of each sample |
//! | `fold` | `[S]` i64 | its fold, from 1; 0 trains in every split; more in `data::manifest::splits` |
//!
//! and as metadata, under `crisscross`, JSON of `data`, `splits`, and the lists `classes` and `samples` (names). Equal sets give equal
//! bytes.

use super::values::{Gathered, Values};
use crate::error::{Error, Result};
use crate::ffi::Map;
use records::folder::write_through;
use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize_to_file};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use tch::{Device, Tensor};

/// Features of one kind: rows of values, and whose they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// `[R, D]`, row after row.
    pub values: Values,
    /// The sample of each row.
    pub samples: Vec<usize>,
}

impl Features {
    /// The values of a row.
    pub fn row(&self, row: usize, width: usize) -> &[f32] {
        &self.values[row * width..][..width]
    }

    /// These rows as a matrix `[rows, width]`, float32.
    pub fn matrix(&self, rows: &[usize], width: usize, device: Device) -> Result<Tensor> {
        let values: Vec<f32> = rows
            .iter()
            .flat_map(|row| self.row(*row, width))
            .copied()
            .collect();
        let matrix = Tensor::from_slice(&values).f_view([rows.len() as i64, width as i64])?;
        Ok(matrix.f_to_device(device)?)
    }
}

/// Features of a labelled data set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureSet {
    /// The data set's name, for messages.
    pub data: String,
    /// Number of folds or splits that are scored.
    pub splits: u32,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Names of the samples.
    pub samples: Vec<String>,
    /// The class of each sample.
    pub labels: Vec<u32>,
    /// The fold of each sample: test in the split of this number, train in the others; 0 trains in all; more
    /// in [`crate::data::manifest::splits`].
    pub folds: Vec<u32>,
    /// Values of a row, D.
    pub width: usize,
    /// Of augmented clips.
    pub train: Features,
    /// Of clips as they are.
    pub test: Features,
}

/// Where the file has its [`About`].
const ABOUT: &str = "crisscross";

/// What the file says beside its tensors.
#[derive(Serialize, Deserialize)]
struct About {
    data: String,
    splits: u32,
    classes: Vec<String>,
    samples: Vec<String>,
}

impl FeatureSet {
    /// The features of several protocols side by side, clip by clip (late fusion, Table 2): the k-th row of a sample is its k-th row in each
    /// of the sets. A sample that one of them could not read takes no part.
    ///
    /// Rows that memory does not hold are in a file of `folder` that has no name.
    ///
    /// # Errors
    /// Sets of other samples, or with another number of clips of a sample; a file that cannot be written.
    pub fn beside(sets: Vec<FeatureSet>, folder: &Path) -> Result<Self> {
        let mut sets = sets.into_iter();
        let first = sets.next().unwrap_or_default();
        sets.try_fold(first, |set, next| {
            let is_of_the_same = set.samples == next.samples
                && set.labels == next.labels
                && set.folds == next.folds
                && set.classes == next.classes;
            if !is_of_the_same {
                return Err(Error::Data {
                    name: set.data,
                    message: "the features that are fused are of different samples".to_owned(),
                    help: "extract both again from the files as they are: remove their run folders, and run the experiment again"
                        .to_owned(),
                });
            }
            let train = set.side_by_side(&next, folder, |set| &set.train)?;
            let test = set.side_by_side(&next, folder, |set| &set.test)?;
            Ok(Self {
                width: set.width + next.width,
                train,
                test,
                ..set
            })
        })
    }

    /// The rows of one kind of two sets.
    fn side_by_side(
        &self,
        other: &Self,
        folder: &Path,
        kind: impl Fn(&Self) -> &Features,
    ) -> Result<Features> {
        let (left, right) = (kind(self), kind(other));
        let (ours, theirs) = (self.rows_by_sample(left), self.rows_by_sample(right));
        let mut joined = Gathered::new(folder);
        for (sample, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            if ours.is_empty() || theirs.is_empty() {
                continue;
            }
            if ours.len() != theirs.len() {
                return Err(Error::Data {
                    name: self.data.clone(),
                    message: format!(
                        "`{}` has {} clips in one of the protocols that are fused, and {} in another",
                        self.samples[sample],
                        ours.len(),
                        theirs.len()
                    ),
                    help: "give the parts of `concat(...)` as many clips of a sample, by `train` and `test`".to_owned(),
                });
            }
            for (ours, theirs) in ours.iter().zip(theirs) {
                let parts = [left.row(*ours, self.width), right.row(*theirs, other.width)];
                joined.add_row(sample, parts)?;
            }
        }
        joined.finish()
    }

    /// The numbers of the rows of each sample.
    pub fn rows_by_sample(&self, features: &Features) -> Vec<Vec<usize>> {
        let mut rows = vec![vec![]; self.samples.len()];
        for (row, sample) in features.samples.iter().enumerate() {
            rows[*sample].push(row);
        }
        rows
    }

    /// Writes the file.
    pub fn save(&self, path: &Path) -> Result<()> {
        let count = self.samples.len();
        let whole = |values: &mut dyn Iterator<Item = i64>| -> Vec<u8> {
            values.flat_map(|v| v.to_le_bytes()).collect()
        };
        let owners = |f: &Features| whole(&mut f.samples.iter().map(|s| *s as i64));
        let of_samples = |values: &[u32]| whole(&mut values.iter().map(|v| i64::from(*v)));
        let matrix = |f: &Features| vec![f.samples.len(), self.width];
        let (of_train, of_test) = (owners(&self.train), owners(&self.test));
        let (labels, folds) = (of_samples(&self.labels), of_samples(&self.folds));
        let rows = |f: &Features| vec![f.samples.len()];
        let (train, test) = (&self.train, &self.test);
        let tensors = [
            ("train", Dtype::F32, matrix(train), train.values.bytes()),
            ("train_sample", Dtype::I64, rows(train), &of_train),
            ("test", Dtype::F32, matrix(test), test.values.bytes()),
            ("test_sample", Dtype::I64, rows(test), &of_test),
            ("label", Dtype::I64, vec![count], &labels),
            ("fold", Dtype::I64, vec![count], &folds),
        ];
        let about = About {
            data: self.data.clone(),
            splits: self.splits,
            classes: self.classes.clone(),
            samples: self.samples.clone(),
        };
        write_tensors(path, &tensors, &about)
    }

    /// Reads the file; its matrices stay there until they are asked for. What does not fit together is an error that names it.
    pub fn load(path: &Path) -> Result<Self> {
        let map = Arc::new(Map::open(path).map_err(Error::io("read", path))?);
        let file = map.bytes();
        let (_, header) =
            SafeTensors::read_metadata(file).map_err(|cause| unusable(path, &cause))?;
        let tensors = SafeTensors::deserialize(file).map_err(|cause| unusable(path, &cause))?;
        let about = header
            .metadata()
            .as_ref()
            .and_then(|texts| texts.get(ABOUT));
        let about = about.ok_or_else(|| {
            unusable(
                path,
                &"its metadata do not say what it holds; it is of another version",
            )
        })?;
        let About {
            data,
            splits,
            classes,
            samples,
        } = serde_json::from_str(about).map_err(|cause| unusable(path, &cause))?;
        let whole = |name: &str| -> Result<Vec<i64>> {
            let tensor = tensors
                .tensor(name)
                .map_err(|cause| unusable(path, &cause))?;
            let words = tensor.data().as_chunks::<8>().0;
            if tensor.dtype() != Dtype::I64 {
                let kind = tensor.dtype();
                return Err(unusable(path, &format!("`{name}` is {kind:?}, not I64")));
            }
            Ok(words.iter().map(|b| i64::from_le_bytes(*b)).collect())
        };
        let matrix = |name: &str| -> Result<(Values, usize)> {
            let tensor = tensors
                .tensor(name)
                .map_err(|cause| unusable(path, &cause))?;
            let (Dtype::F32, [_, width]) = (tensor.dtype(), tensor.shape()) else {
                return Err(unusable(path, &format!("`{name}` is no F32 matrix")));
            };
            let bytes = tensor.data();
            let from = bytes.as_ptr().addr() - file.as_ptr().addr();
            let values = Values::in_file(&map, from, bytes.len());
            let values = values.ok_or_else(|| unusable(path, &"its header has an odd length"))?;
            Ok((values, *width))
        };
        let ((train, width), (test, test_width)) = (matrix("train")?, matrix("test")?);
        let below = |name: &str, bound: usize| -> Result<Vec<usize>> {
            let values = whole(name)?
                .into_iter()
                .map(|v| usize::try_from(v).ok().filter(|v| *v < bound));
            let outside = || unusable(path, &format!("`{name}` holds a number outside 0..{bound}"));
            values.collect::<Option<_>>().ok_or_else(outside)
        };
        let narrow = |values: Vec<usize>| values.into_iter().map(|v| v as u32).collect();
        let set = Self {
            data,
            splits,
            labels: narrow(below("label", classes.len())?),
            folds: narrow(below("fold", u32::MAX as usize)?),
            train: Features {
                values: train,
                samples: below("train_sample", samples.len())?,
            },
            test: Features {
                values: test,
                samples: below("test_sample", samples.len())?,
            },
            classes,
            samples,
            width,
        };
        let fits = |f: &Features| f.values.len() == f.samples.len() * width;
        let count = set.samples.len();
        if width != test_width
            || !fits(&set.train)
            || !fits(&set.test)
            || set.labels.len() != count
            || set.folds.len() != count
        {
            return Err(unusable(
                path,
                &"the lengths of its tensors do not fit together",
            ));
        }
        Ok(set)
    }
}

/// Writes tensors, each with its name, type, shape and bytes, as safetensors, and what they are as its metadata. Equal ones give equal bytes.
///
/// # Errors
/// A file that cannot be written.
pub(super) fn write_tensors(
    path: &Path,
    tensors: &[(&str, Dtype, Vec<usize>, &[u8])],
    about: &impl Serialize,
) -> Result<()> {
    let mut views = vec![];
    for (name, kind, shape, bytes) in tensors {
        let view = TensorView::new(*kind, shape.clone(), bytes);
        views.push((*name, view.map_err(|cause| unusable(path, &cause))?));
    }
    // One entry alone: the order of several in the header would change from run to run.
    let about = serde_json::to_string(about).expect("names are plain text");
    let metadata = HashMap::from([(ABOUT.to_owned(), about)]);
    write_through(path, |part| {
        serialize_to_file(views, Some(metadata), part).map_err(|cause| {
            let SafeTensorError::IoError(cause) = cause else {
                return unusable(path, &cause);
            };
            Error::io("write", path)(cause)
        })
    })
}

fn unusable(path: &Path, message: &dyn std::fmt::Display) -> Error {
    Error::Checkpoint {
        path: path.to_owned(),
        message: message.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> FeatureSet {
        FeatureSet {
            data: "toy".to_owned(),
            splits: 2,
            classes: vec!["a".to_owned(), "b".to_owned()],
            samples: ["x.mp4", "y.mp4", "z.mp4"].map(str::to_owned).to_vec(),
            labels: vec![0, 1, 0],
            folds: vec![1, 2, 0],
            width: 2,
            train: Features {
                values: vec![1.0, 2.0, 3.0, -4.0].into(),
                samples: vec![0, 2],
            },
            test: Features {
                values: vec![0.5, 0.25].into(),
                samples: vec![1],
            },
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("features.safetensors");
        set().save(&path).unwrap();
        assert_eq!(FeatureSet::load(&path).unwrap(), set());
        let first = std::fs::read(&path).unwrap();
        set().save(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), first);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        // As readable as any other file of this user.
        let other = folder.path().join("other");
        std::fs::write(&other, "").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions();
        assert_eq!(mode(&path), mode(&other));
    }

    #[test]
    fn features_stand_side_by_side_clip_by_clip() {
        let folder = tempfile::tempdir().unwrap();
        let beside = |sets| FeatureSet::beside(sets, folder.path());
        let both = beside(vec![set(), set()]).unwrap();
        assert_eq!(both.width, 4);
        assert_eq!(
            both.train.values[..],
            [1.0, 2.0, 1.0, 2.0, 3.0, -4.0, 3.0, -4.0]
        );
        assert_eq!(both.test.values[..], [0.5, 0.25, 0.5, 0.25]);
        assert_eq!(beside(vec![set()]).unwrap(), set());
        // What one could not read takes no part.
        let mut less = set();
        less.train = Features {
            values: vec![7.0, 8.0].into(),
            samples: vec![2],
        };
        let both = beside(vec![set(), less]).unwrap();
        assert_eq!(both.train.values[..], [3.0, -4.0, 7.0, 8.0]);
        assert_eq!(both.train.samples, [2]);
        let mut more = set();
        more.train.samples = vec![2, 2];
        let message = beside(vec![set(), more]).unwrap_err().to_string();
        assert!(message.contains("`z.mp4` has 1 clips"), "{message}");
        let mut other = set();
        other.samples[0] = "w.mp4".to_owned();
        let message = beside(vec![set(), other]).unwrap_err().to_string();
        assert!(message.ends_with("different samples"), "{message}");
    }

    #[test]
    fn damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("features.safetensors");
        let missing = FeatureSet::load(&path).unwrap_err().to_string();
        assert!(missing.starts_with("cannot read"), "{missing}");
        set().save(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in [0, 4, 100, whole.len() - 3] {
            std::fs::write(&path, &whole[..length]).unwrap();
            let error = FeatureSet::load(&path).unwrap_err().to_string();
            assert!(
                error.contains("features.safetensors` cannot be used"),
                "{error}"
            );
        }
        FeatureSet {
            labels: vec![0, 7, 0],
            ..set()
        }
        .save(&path)
        .unwrap();
        let error = FeatureSet::load(&path).unwrap_err().to_string();
        assert!(
            error.ends_with("`label` holds a number outside 0..2"),
            "{error}"
        );
    }
}
