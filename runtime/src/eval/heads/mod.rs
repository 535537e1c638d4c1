//! What gets from features to a class for each test sample, a file for each way.

pub mod linear;
pub mod neighbours;
pub mod svm;

use super::feature_set::FeatureSet;
use compiler::units::Exact;
use serde::{Deserialize, Serialize};
use std::sync::atomic::AtomicBool;
use tch::Device;

/// What a head is computed with, and who is told how far it is. Its outcome does not depend on it, beyond rounding on another device.
pub struct Means<'a> {
    /// Threads of what is fitted on the processor.
    pub threads: usize,
    /// Where matrices are multiplied.
    pub device: Device,
    /// Called with what is done, all that is to be done, and what it is.
    pub progress: &'a mut dyn FnMut(u64, u64, &'static str),
    /// Set to end it with [`Error::Interrupted`](crate::error::Error::Interrupted).
    pub stop: &'a AtomicBool,
}

/// What was found for a test sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The sample.
    pub sample: usize,
    /// The class that was found.
    pub predicted: u32,
    /// The place of its own class among those that were found, from 1.
    pub rank: u64,
}

impl Outcome {
    /// By the scores of all classes: of equals the first one counts as higher.
    pub fn of_scores(set: &FeatureSet, sample: usize, scores: &[f64]) -> Self {
        let own = set.labels[sample] as usize;
        let is_before = |(class, score): (usize, &f64)| {
            *score > scores[own] || (*score == scores[own] && class < own)
        };
        let before = scores.iter().enumerate().filter(|s| is_before(*s)).count();
        Self {
            sample,
            predicted: best(scores) as u32,
            rank: before as u64 + 1,
        }
    }
}

/// What was chosen for a split, by the scores of all that was tried.
#[derive(Clone, Debug, PartialEq)]
pub enum Chosen {
    /// There was no choice.
    Nothing,
    /// The cost of an SVM.
    Cost(Exact),
    /// The epoch of a training, from 1.
    Epoch(u32),
}

/// What a head came to in one split.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Of each test sample, in order.
    pub outcomes: Vec<Outcome>,
    /// What was chosen.
    pub chosen: Chosen,
    /// What was tried, and the share of samples in percent whose class was found with it: of the test samples, or of those held out.
    pub tried: Vec<(String, f64)>,
}

/// The share of outcomes whose class is among the first `k`, in percent.
pub fn share(outcomes: &[Outcome], k: u32) -> f64 {
    let is_within = |outcome: &&Outcome| outcome.rank <= u64::from(k);
    100.0 * outcomes.iter().filter(is_within).count() as f64 / outcomes.len().max(1) as f64
}

/// The mean over folds of what was tried, in the order of these. Rounded to billionths: sums of one set of shares in two orders would else
/// differ in their last bits and break ties.
pub fn means(folds: &[Vec<f64>]) -> Vec<f64> {
    let tried = folds.iter().map(Vec::len).min().unwrap_or(0);
    let mean = |at: usize| {
        let sum: f64 = folds.iter().map(|fold| fold[at]).sum();
        (sum / folds.len() as f64 * 1e9).round() / 1e9
    };
    match folds {
        [one] => one.clone(),
        _ => (0..tried).map(mean).collect(),
    }
}

/// The position of the highest value, the first of equals.
pub fn best(values: &[f64]) -> usize {
    (1..values.len()).fold(
        0,
        |best, at| if values[at] > values[best] { at } else { best },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_scores_the_first_class_is_higher() {
        let set = FeatureSet {
            labels: vec![0, 1, 2],
            ..FeatureSet::default()
        };
        let rank = |sample, scores: &[f64]| {
            let found = Outcome::of_scores(&set, sample, scores);
            (found.predicted, found.rank)
        };
        assert_eq!(rank(0, &[1.0, 1.0, 0.0]), (0, 1));
        assert_eq!(rank(1, &[1.0, 1.0, 0.0]), (0, 2));
        assert_eq!(rank(2, &[1.0, 1.0, 0.0]), (0, 3));
        assert_eq!(rank(2, &[-1.0, -2.0, -1.5]), (0, 2));
        let outcomes = [1, 2, 5, 6].map(|rank| Outcome {
            sample: 0,
            predicted: 0,
            rank,
        });
        assert_eq!([1, 5, 20].map(|k| share(&outcomes, k)), [25.0, 75.0, 100.0]);
    }
}
