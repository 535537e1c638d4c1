//! Retrieval: the training rows in the order of their cosine similarity to a test sample (App. E.3).
//!
//! A test sample asks with the mean of its rows; where the features are a mean over clips that is its only one. Each training row is a
//! neighbour. The rank of a sample is the place of the first neighbour of its class, so R@k is the share of ranks up to k; of equally
//! near neighbours the one that comes first in the data set is nearer. A row of zeros is at distance 1 from all. All of it in float64:
//! the order is that of scikit-learn's `NearestNeighbors(metric="cosine")`.

use super::{Chosen, Judged, Means, Outcome};
use crate::error::{Error, Result};
use crate::eval::feature_set::FeatureSet;
use crate::eval::splits::{Split, rows_of};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use tch::{Kind, Tensor};

/// Numbers of the largest matrix that is made at once: 256 MiB of them.
const NUMBERS: usize = 1 << 25;

/// Ranks the training rows for each test sample of each split.
pub fn judge(set: &FeatureSet, splits: &[Split], means: &mut Means) -> Result<Vec<Judged>> {
    let all: usize = splits.iter().map(|split| split.test.len()).sum();
    let mut done = 0;
    let mut judged = vec![];
    let queries = set.rows_by_sample(&set.test);
    for split in splits {
        let gallery = rows_of(&set.train, &split.train);
        let mut outcomes = vec![];
        for samples in split.test.chunks(at_once(&gallery)) {
            if means.stop.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            let asked = samples.iter().map(|sample| queries[*sample].as_slice());
            let similar = similarities(set, asked, &gallery, means)?;
            let found = samples.iter().zip(similar.chunks(gallery.len()));
            outcomes.extend(found.map(|(sample, row)| outcome(set, *sample, &gallery, row)));
            done += samples.len();
            (means.progress)(done as u64, all as u64, "samples");
        }
        judged.push(Judged {
            outcomes,
            chosen: Chosen::Nothing,
            tried: vec![],
        });
    }
    Ok(judged)
}

/// A training sample as a neighbour of a test sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Near {
    /// The sample.
    pub sample: usize,
    /// The cosine similarity of the nearest of its rows.
    pub similarity: f64,
}

/// The `top` training samples of `split` nearest to each of the test samples `asked`, the nearest first. A sample of several rows
/// stands where the nearest of them is.
///
/// # Errors
/// [`Error::Interrupted`].
pub fn nearest(
    set: &FeatureSet,
    split: &Split,
    asked: &[usize],
    top: usize,
    means: &mut Means,
) -> Result<Vec<Vec<Near>>> {
    let queries = set.rows_by_sample(&set.test);
    let gallery = rows_of(&set.train, &split.train);
    let mut found: Vec<Vec<Near>> = vec![];
    for samples in asked.chunks(at_once(&gallery)) {
        if means.stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let rows = samples.iter().map(|sample| queries[*sample].as_slice());
        let similar = similarities(set, rows, &gallery, means)?;
        let each = similar.chunks(gallery.len());
        found.extend(each.map(|similar| first(set, &gallery, similar, top)));
        (means.progress)(found.len() as u64, asked.len() as u64, "samples");
    }
    Ok(found)
}

/// So many queries that their similarities to these rows fit.
fn at_once(gallery: &[usize]) -> usize {
    (NUMBERS / gallery.len().max(1)).max(1)
}

/// The `top` samples of these rows with the largest similarities.
fn first(set: &FeatureSet, gallery: &[usize], similar: &[f64], top: usize) -> Vec<Near> {
    let mut order: Vec<usize> = (0..gallery.len()).collect();
    order.sort_by(|a, b| similar[*b].total_cmp(&similar[*a]));
    let mut seen = BTreeSet::new();
    let near = order.into_iter().map(|at| Near {
        sample: set.train.samples[gallery[at]],
        similarity: similar[at],
    });
    near.filter(|near| seen.insert(near.sample))
        .take(top)
        .collect()
}

/// The cosine similarity of the mean of each of some test rows to each training row of `gallery`, query after query.
fn similarities<'a>(
    set: &FeatureSet,
    queries: impl Iterator<Item = &'a [usize]>,
    gallery: &[usize],
    means: &Means,
) -> Result<Vec<f64>> {
    let queries = queries.map(|rows| {
        let rows = set
            .test
            .matrix(rows, set.width, means.device)?
            .f_to_kind(Kind::Double)?;
        Ok(rows.mean_dim([0].as_slice(), true, None))
    });
    let queries = Tensor::f_cat(&queries.collect::<Result<Vec<_>>>()?, 0)?;
    let queries = unit(&queries)?;
    let parts = gallery.chunks((NUMBERS / set.width.max(1)).max(1));
    let parts = parts.map(|rows| {
        let rows = unit(
            &set.train
                .matrix(rows, set.width, means.device)?
                .f_to_kind(Kind::Double)?,
        )?;
        Ok(queries.f_matmul(&rows.transpose(0, 1))?)
    });
    let parts: Vec<Tensor> = parts.collect::<Result<_>>()?;
    Ok(Tensor::f_cat(&parts, 1)?.flatten(0, -1).try_into()?)
}

/// Its rows at length 1; one of zeros stays.
pub(crate) fn unit(rows: &Tensor) -> Result<Tensor> {
    let norms = rows.f_norm_scalaropt_dim(2.0, [1].as_slice(), true)?;
    Ok(rows.f_div(&norms.clamp_min(f64::MIN_POSITIVE))?)
}

/// The nearest row's class, and the place of the nearest of the sample's own class.
fn outcome(set: &FeatureSet, sample: usize, gallery: &[usize], similar: &[f64]) -> Outcome {
    let class = |at: usize| set.labels[set.train.samples[gallery[at]]];
    let own = (0..gallery.len()).filter(|at| class(*at) == set.labels[sample]);
    let nearest = |nearest: usize, at: usize| match similar[at] > similar[nearest] {
        true => at,
        false => nearest,
    };
    let own = own.reduce(nearest);
    let rank = own.map(|own| {
        let is_nearer =
            |at: &usize| similar[*at] > similar[own] || (similar[*at] == similar[own] && *at < own);
        (0..gallery.len()).filter(is_nearer).count() as u64 + 1
    });
    let first = (0..gallery.len()).reduce(nearest);
    Outcome {
        sample,
        predicted: first.map_or(0, class),
        rank: rank.unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::feature_set::Features;
    use std::sync::atomic::AtomicBool;
    use tch::Device;

    /// Rows of two values on a circle, in degrees, with the sample of each.
    fn circle(rows: &[(usize, f32)]) -> Features {
        let at = |degrees: f32| [degrees.to_radians().cos(), degrees.to_radians().sin()];
        Features {
            values: rows.iter().flat_map(|(_, degrees)| at(*degrees)).collect(),
            samples: rows.iter().map(|(sample, _)| *sample).collect(),
        }
    }

    #[test]
    fn a_rank_is_the_place_of_the_first_neighbour_of_the_class() {
        let set = FeatureSet {
            classes: vec!["x".to_owned(), "y".to_owned()],
            labels: vec![0, 1, 0, 1, 1, 0],
            samples: (0..6).map(|i| i.to_string()).collect(),
            folds: vec![0, 0, 0, 0, 1, 1],
            splits: 1,
            width: 2,
            train: circle(&[
                (0, 0.0),
                (0, 10.0),
                (1, 90.0),
                (1, 40.0),
                (2, 20.0),
                (3, 200.0),
            ]),
            // The clips of sample 4 lie at 10 and 30 degrees, and so around 20.
            test: circle(&[(4, 10.0), (4, 30.0), (5, 80.0)]),
            ..FeatureSet::default()
        };
        let split = Split {
            name: "test".to_owned(),
            train: vec![0, 1, 2, 3],
            test: vec![4, 5],
        };
        let mut means = Means {
            threads: 1,
            device: Device::Cpu,
            progress: &mut |_, _, _| (),
            stop: &AtomicBool::new(false),
        };
        let judged = judge(&set, std::slice::from_ref(&split), &mut means).unwrap();
        let found: Vec<(u32, u64)> = judged[0]
            .outcomes
            .iter()
            .map(|found| (found.predicted, found.rank))
            .collect();
        // From 20 degrees: 20, 10 (x), 0 or 40, of which 0 comes first in the set; so y is third or fourth.
        assert_eq!(found[0].0, 0);
        assert!((3..=4).contains(&found[0].1), "{found:?}");
        // From 80 degrees: 90, 40 (y), then 20 (x).
        assert_eq!(found[1], (1, 3));

        // Sample 1 is at 10 and 50 degrees from there, and stands once.
        let near = nearest(&set, &split, &[5], 3, &mut means).unwrap();
        let samples: Vec<usize> = near[0].iter().map(|near| near.sample).collect();
        assert_eq!(samples, [1, 2, 0]);
        assert!((near[0][0].similarity - 10f64.to_radians().cos()).abs() < 1e-6);
    }
}
