//! The results of two scores side by side: fold by fold where both have the same folds, and sample by sample where both kept what became
//! of each.

use crate::Result;
use crate::folder::Finished;
use crate::predictions::{self, PREDICTIONS, Prediction};
use crate::record::{FoldResult, ScoreResult};
use crate::report::statistics::{corrected_t, mcnemar, summary};
use serde::Serialize;
use std::collections::BTreeMap;

/// Two scores.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// The metric of each, in percent.
    pub values: [f64; 2],
    /// The second less the first.
    pub difference: f64,
    /// By folds; `None` where both have not the same ones.
    pub folds: Option<Folds>,
    /// By samples; `None` where one of them kept none.
    pub samples: Option<Samples>,
}

/// Differences of folds that both have.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Folds {
    /// How many.
    pub count: usize,
    /// The standard deviation of the differences, of n - 1; `None` of one fold.
    pub deviation: Option<f64>,
    /// Folds in which the second is better, and in which the first is.
    pub better: [usize; 2],
    /// The two-sided p-value of the t-test that minds their overlapping training sets; `None` of one fold, or where they do not vary.
    pub p: Option<f64>,
}

/// Samples that both have scored, by whether they are right.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Samples {
    /// In both.
    pub both: usize,
    /// In the first alone.
    pub first: usize,
    /// In the second alone.
    pub second: usize,
    /// In neither.
    pub neither: usize,
    /// How likely such an uneven share of those that differ is where neither is better: the exact test of McNemar, two-sided. Samples of
    /// several folds or splits count once for each.
    pub p: f64,
}

/// Compares two scores; a sample is right where its class is among the first `k`.
///
/// # Errors
/// A result or predictions that cannot be read.
pub fn scores(first: &Finished, second: &Finished, k: u32) -> Result<Scores> {
    let results: [ScoreResult; 2] = [first.result()?, second.result()?];
    let values = [results[0].value, results[1].value];
    Ok(Scores {
        values,
        difference: values[1] - values[0],
        folds: folds(&results[0], &results[1]),
        samples: match [first, second].map(|run| run.path.join(PREDICTIONS)) {
            [a, b] if a.is_file() && b.is_file() => {
                samples(&predictions::read(&a)?, &predictions::read(&b)?, k)
            }
            _ => None,
        },
    })
}

fn folds(first: &ScoreResult, second: &ScoreResult) -> Option<Folds> {
    let names = |of: &ScoreResult| -> Vec<String> {
        of.folds.iter().map(|fold| fold.name.clone()).collect()
    };
    if names(first) != names(second) || first.folds.is_empty() {
        return None;
    }
    let pairs = first.folds.iter().zip(&second.folds);
    let differences: Vec<f64> = pairs.map(|(a, b)| b.value - a.value).collect();
    let sum = |of: &dyn Fn(&FoldResult) -> u64| -> f64 {
        second.folds.iter().map(|fold| of(fold) as f64).sum()
    };
    let ratio = sum(&|fold| fold.test) / sum(&|fold| fold.train).max(1.0);
    Some(Folds {
        count: differences.len(),
        deviation: summary(&differences).and_then(|summary| summary.deviation),
        better: [
            differences.iter().filter(|d| **d > 0.0).count(),
            differences.iter().filter(|d| **d < 0.0).count(),
        ],
        p: corrected_t(&differences, ratio).map(|student| student.p),
    })
}

/// `None` where they have not scored the same samples of the same classes.
fn samples(first: &[Prediction], second: &[Prediction], k: u32) -> Option<Samples> {
    let by_name = |of: &[Prediction]| -> BTreeMap<(String, String), (String, bool)> {
        let all = of.iter();
        all.map(|one| {
            let key = (one.split.clone(), one.sample.clone());
            (key, (one.class.clone(), one.is_within(k)))
        })
        .collect()
    };
    let (first, second) = (by_name(first), by_name(second));
    let mut counts = [0; 4];
    for (key, (class, is_right)) in &first {
        let (other, is_right_too) = second.get(key)?;
        if class != other {
            return None;
        }
        counts[usize::from(*is_right) * 2 + usize::from(*is_right_too)] += 1;
    }
    if first.len() != second.len() || first.is_empty() {
        return None;
    }
    let [neither, second, first, both] = counts;
    Some(Samples {
        both,
        first,
        second,
        neither,
        p: mcnemar(first as u64, second as u64),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{context, id, result, stage};
    use crate::folder::Runs;

    #[test]
    fn folds_and_samples_are_compared_where_both_have_them() {
        let place = tempfile::tempdir().unwrap();
        let runs = Runs::open(place.path()).unwrap();
        let finished = |column: usize, folds: &[f64], right: &[bool]| {
            let attempt = runs.begin(&stage(id(1, column), "x"), &context()).unwrap();
            let line = |(at, is_right): (usize, &bool)| Prediction {
                split: "1".to_owned(),
                sample: format!("{at}.wav"),
                class: "dog".to_owned(),
                predicted: if *is_right { "dog" } else { "cat" }.to_owned(),
                rank: if *is_right { 1 } else { 2 },
            };
            let lines: Vec<Prediction> = right.iter().enumerate().map(line).collect();
            predictions::write(&attempt.path().join(PREDICTIONS), &lines).unwrap();
            attempt.finish(&result(folds)).unwrap()
        };
        let first = finished(1, &[50.0, 60.0], &[true, true, false, false, false]);
        let second = finished(2, &[54.0, 62.0], &[true, false, true, true, false]);
        let found = scores(&first, &second, 1).unwrap();
        assert_eq!((found.values, found.difference), ([55.0, 58.0], 3.0));
        let folds = found.folds.unwrap();
        assert_eq!((folds.count, folds.better), (2, [2, 0]));
        assert!((folds.deviation.unwrap() - 2.0_f64.sqrt()).abs() < 1e-12);
        let samples = found.samples.unwrap();
        let counts = (samples.both, samples.first, samples.second, samples.neither);
        assert_eq!(counts, (1, 1, 2, 1));
        assert!((samples.p - 1.0).abs() < 1e-12);
        // Within the first two all are right.
        assert_eq!(scores(&first, &second, 2).unwrap().samples.unwrap().both, 5);
        let other = finished(3, &[54.0], &[true]);
        let found = scores(&first, &other, 1).unwrap();
        assert_eq!((found.folds, found.samples), (None, None));
    }
}
