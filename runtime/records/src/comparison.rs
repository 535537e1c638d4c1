//! The results of two scores side by side: fold by fold where both have the same folds, and sample by sample where both kept what became
//! of each. `compare` and the differences of a report are both made of this.

use crate::Result;
use crate::folder::Finished;
use crate::predictions::{self, PREDICTIONS, Prediction};
use crate::record::{FoldResult, ScoreResult};
use crate::report::statistics::{corrected_t, mcnemar, summary};
use serde::Serialize;
use std::collections::BTreeMap;

/// Two scores of one metric.
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
    /// The statistic of the t-test that minds their overlapping training sets; `None` of one fold, or where they do not vary.
    pub t: Option<f64>,
    /// Its two-sided p-value.
    pub p: Option<f64>,
}

/// Samples that both have scored, each once, by whether they are right.
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
    /// Samples that one of them alone has scored, which are not counted.
    pub unpaired: usize,
    /// How likely such an uneven share of those that differ is where neither is better: the exact test of McNemar, two-sided.
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
        folds: folds(&results[0].folds, &results[1].folds),
        samples: match [first, second].map(|run| run.path.join(PREDICTIONS)) {
            [a, b] if a.is_file() && b.is_file() => {
                let [a, b] = [predictions::read(&a)?, predictions::read(&b)?];
                samples(&outcomes(&a, k), &outcomes(&b, k))
            }
            _ => None,
        },
    })
}

/// Folds of two scores; `None` where these are not the same ones.
pub fn folds(first: &[FoldResult], second: &[FoldResult]) -> Option<Folds> {
    let names =
        |of: &[FoldResult]| -> Vec<String> { of.iter().map(|fold| fold.name.clone()).collect() };
    if names(first) != names(second) || first.is_empty() {
        return None;
    }
    let pairs = first.iter().zip(second);
    let differences: Vec<f64> = pairs.map(|(a, b)| b.value - a.value).collect();
    let sum =
        |of: fn(&FoldResult) -> u64| -> f64 { second.iter().map(|fold| of(fold) as f64).sum() };
    let ratio = sum(|fold| fold.test) / sum(|fold| fold.train).max(1.0);
    let student = corrected_t(&differences, ratio);
    Some(Folds {
        count: differences.len(),
        deviation: summary(&differences).and_then(|summary| summary.deviation),
        better: [
            differences.iter().filter(|d| **d > 0.0).count(),
            differences.iter().filter(|d| **d < 0.0).count(),
        ],
        t: student.map(|student| student.t),
        p: student.map(|student| student.p),
    })
}

/// What a score came to for a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome<'p> {
    /// The fold or split.
    pub split: &'p str,
    /// Its class.
    pub class: &'p str,
    /// Whether that is among the first `k`.
    pub is_right: bool,
}

/// What a score came to for each sample, by its name; where several splits hold a sample, in the first of them.
pub fn outcomes(lines: &[Prediction], k: u32) -> BTreeMap<&str, Outcome<'_>> {
    let mut found = BTreeMap::new();
    for line in lines {
        found.entry(line.sample.as_str()).or_insert(Outcome {
            split: &line.split,
            class: &line.class,
            is_right: line.is_within(k),
        });
    }
    found
}

/// Samples that both have scored in the same split; `None` where there are none, or where the two have given a sample other classes.
/// Where no name is the same, the data lay in another folder, and names from the folder on in which all samples lie are compared.
pub fn samples(
    first: &BTreeMap<&str, Outcome<'_>>,
    second: &BTreeMap<&str, Outcome<'_>>,
) -> Option<Samples> {
    match first.keys().any(|name| second.contains_key(name)) {
        true => named_samples(first, second),
        false => named_samples(&below(first), &below(second)),
    }
}

/// Outcomes by names without the folders that lead to all of them.
fn below<'p>(of: &BTreeMap<&'p str, Outcome<'p>>) -> BTreeMap<&'p str, Outcome<'p>> {
    let folder = |name: &'p str| name.rfind('/').map_or("", |at| &name[..=at]);
    let shared = of.keys().map(|name| folder(name)).reduce(|a, b| {
        let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
        // A folder ends with a slash, and so does what two of them share.
        a.as_bytes()[..same]
            .iter()
            .rposition(|byte| *byte == b'/')
            .map_or("", |at| &a[..=at])
    });
    let shared = shared.unwrap_or("").len();
    of.iter()
        .map(|(name, outcome)| (&name[shared..], *outcome))
        .collect()
}

fn named_samples(
    first: &BTreeMap<&str, Outcome<'_>>,
    second: &BTreeMap<&str, Outcome<'_>>,
) -> Option<Samples> {
    let mut counts = [0; 4];
    for (sample, a) in first {
        let Some(b) = second.get(sample).filter(|b| a.split == b.split) else {
            continue;
        };
        if a.class != b.class {
            return None;
        }
        counts[usize::from(a.is_right) * 2 + usize::from(b.is_right)] += 1;
    }
    let pairs: usize = counts.iter().sum();
    let unpaired = first.len() + second.len() - 2 * pairs;
    let [neither, second, first, both] = counts;
    (pairs > 0).then(|| Samples {
        both,
        first,
        second,
        neither,
        unpaired,
        p: mcnemar(first as u64, second as u64),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{context, id, predictions, result, stage};
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
        assert_eq!(samples.unpaired, 0);
        let other = finished(3, &[54.0], &[true]);
        let found = scores(&first, &other, 1).unwrap();
        assert_eq!(found.folds, None);
        let samples = found.samples.unwrap();
        assert_eq!((samples.both, samples.neither, samples.unpaired), (1, 0, 4));
    }

    #[test]
    fn a_sample_of_several_splits_counts_once() {
        let a = predictions(&[("1", "x", 1), ("1", "y", 2), ("2", "x", 9), ("2", "z", 1)]);
        let b = predictions(&[("1", "x", 3), ("1", "y", 1), ("2", "x", 1), ("2", "z", 1)]);
        let found = samples(&outcomes(&a, 2), &outcomes(&b, 2)).unwrap();
        assert_eq!((found.both, found.first, found.second), (2, 1, 0));
        // Another label column has other classes, and no sample in common.
        let mut other = b.clone();
        other[1].class = "c".to_owned();
        assert_eq!(samples(&outcomes(&a, 2), &outcomes(&other, 2)), None);
        assert_eq!(samples(&outcomes(&a, 2), &outcomes(&[], 2)), None);
    }

    #[test]
    fn data_may_have_moved() {
        let a = predictions(&[("1", "/a/set/dog/x", 1), ("1", "/a/set/doe/y", 2)]);
        let b = predictions(&[("1", "/far/b/dog/x", 2), ("1", "/far/b/doe/y", 1)]);
        let found = samples(&outcomes(&a, 1), &outcomes(&b, 1)).unwrap();
        assert_eq!((found.first, found.second, found.unpaired), (1, 1, 0));
        let other = predictions(&[("1", "/far/b/cat/x", 2), ("1", "/far/b/doe/z", 1)]);
        assert_eq!(samples(&outcomes(&a, 1), &outcomes(&other, 1)), None);
    }
}
