//! What a score came to for each class: accuracies and the confusion matrix, of a run's `predictions.csv`.

use super::compare::Outcome;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The classes of one number of a table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Classes {
    /// The row, by its number.
    pub row: usize,
    /// Its label.
    pub label: String,
    /// The score, by its place among the columns.
    pub column: usize,
    /// The run folder that says it.
    pub run: String,
    /// How many of the first places count as right: 1 of top-1, k of R@k.
    pub within: u32,
    /// Whether what samples were taken for is the class of their nearest neighbour, whatever k is.
    pub is_retrieval: bool,
    /// Whether the confusion matrix is drawn: of the scores of one retrieval, which have the same, it is that of the smallest k.
    pub has_matrix: bool,
    /// Over how many folds or splits the counts are sums.
    pub splits: usize,
    /// The classes in order: numbers as numbers, others by name.
    pub classes: Vec<Class>,
    /// How many samples of a class were taken for which, classes by their place, without zeros.
    pub confusion: Vec<Confused>,
}

/// One class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// Test samples of it.
    pub samples: u64,
    /// Those of them that count as right.
    pub right: u64,
}

/// Samples of `class` that were taken for `predicted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Confused {
    pub class: usize,
    pub predicted: usize,
    pub samples: u64,
}

impl Class {
    /// Its share of right samples, in percent; `None` of a class without samples.
    pub fn accuracy(&self) -> Option<f64> {
        (self.samples > 0).then(|| 100.0 * self.right as f64 / self.samples as f64)
    }
}

/// Which number of a table some classes are of.
pub(super) struct Place<'t> {
    pub row: usize,
    pub label: &'t str,
    pub column: usize,
    pub run: &'t str,
    pub is_retrieval: bool,
}

/// The classes of an outcome; `None` of one without samples.
pub(super) fn classes(place: Place<'_>, outcome: &Outcome) -> Option<Classes> {
    let lines = &outcome.predictions;
    let mut names: Vec<&str> = lines
        .iter()
        .flat_map(|line| [line.class.as_str(), line.predicted.as_str()])
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    if names.is_empty() {
        return None;
    }
    if names.iter().all(|name| name.parse::<u64>().is_ok()) {
        names.sort_by_key(|name| name.parse::<u64>().ok());
    }
    let at: BTreeMap<&str, usize> = names
        .iter()
        .enumerate()
        .map(|(i, name)| (*name, i))
        .collect();
    let mut classes: Vec<Class> = names
        .iter()
        .map(|name| Class {
            name: (*name).to_owned(),
            samples: 0,
            right: 0,
        })
        .collect();
    let mut counts: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    let mut splits = BTreeSet::new();
    for line in lines.iter() {
        let class = at[line.class.as_str()];
        classes[class].samples += 1;
        classes[class].right += u64::from(line.is_within(outcome.within));
        *counts
            .entry((class, at[line.predicted.as_str()]))
            .or_default() += 1;
        splits.insert(line.split.as_str());
    }
    let confusion = counts.into_iter();
    Some(Classes {
        row: place.row,
        label: place.label.to_owned(),
        column: place.column,
        run: place.run.to_owned(),
        within: outcome.within,
        is_retrieval: place.is_retrieval,
        has_matrix: true,
        splits: splits.len(),
        classes,
        confusion: confusion
            .map(|((class, predicted), samples)| Confused {
                class,
                predicted,
                samples,
            })
            .collect(),
    })
}

/// Leaves of each row and retrieval the matrix of the smallest k; scores of which `is_one` says so are of one retrieval.
pub(super) fn one_matrix_each(all: &mut [Classes], is_one: &dyn Fn(&Classes, &Classes) -> bool) {
    for at in 0..all.len() {
        let own = &all[at];
        let mut others = all
            .iter()
            .filter(|of| of.row == own.row && of.within < own.within);
        all[at].has_matrix = !(own.is_retrieval && others.any(|of| is_one(of, own)));
    }
}

impl Classes {
    /// What the matrix shows where that is not what the score counts.
    pub(super) fn of_matrix(&self) -> Option<&'static str> {
        self.is_retrieval
            .then_some("Classes of the nearest neighbour")
    }

    /// What the bars of its classes are.
    pub(super) fn of_bars(&self) -> String {
        match self.within {
            1 => "Accuracy of each class".to_owned(),
            k => format!("Share of each class within the first {k}"),
        }
    }

    /// The pairs of classes that were confused most, the most frequent first, at most `most`.
    pub(super) fn most_confused(&self, most: usize) -> Vec<Confused> {
        let mut pairs: Vec<Confused> = self
            .confusion
            .iter()
            .copied()
            .filter(|pair| pair.class != pair.predicted)
            .collect();
        pairs.sort_by_key(|pair| (std::cmp::Reverse(pair.samples), pair.class, pair.predicted));
        pairs.truncate(most);
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predictions::Prediction;
    use std::rc::Rc;

    #[test]
    fn counts_are_those_of_the_lines_and_classes_stand_in_order() {
        let line = |(split, class, predicted, rank): (&str, &str, &str, u64)| Prediction {
            split: split.to_owned(),
            sample: "s".to_owned(),
            class: class.to_owned(),
            predicted: predicted.to_owned(),
            rank,
        };
        let lines = [
            ("1", "10", "10", 1),
            ("1", "2", "10", 2),
            ("2", "2", "3", 5),
            ("2", "2", "10", 2),
        ];
        let outcome = Outcome {
            within: 2,
            predictions: Rc::new(lines.map(line).to_vec()),
        };
        let place = || Place {
            row: 4,
            label: "a",
            column: 0,
            run: "score-x",
            is_retrieval: false,
        };
        let found = classes(place(), &outcome).unwrap();
        let shown: Vec<_> = found
            .classes
            .iter()
            .map(|class| {
                (
                    class.name.as_str(),
                    class.samples,
                    class.right,
                    class.accuracy(),
                )
            })
            .collect();
        // A class that was found and is not there has no accuracy, and not one of 0.
        assert_eq!(
            shown,
            [
                ("2", 3, 2, Some(200.0 / 3.0)),
                ("3", 0, 0, None),
                ("10", 1, 1, Some(100.0))
            ]
        );
        let first = found.most_confused(1)[0];
        assert_eq!((first.class, first.predicted, first.samples), (0, 2, 2));
        assert_eq!((found.splits, found.confusion.len()), (2, 3));
        let none = Outcome {
            within: 1,
            predictions: Rc::new(vec![]),
        };
        assert!(classes(place(), &none).is_none());
    }

    #[test]
    fn scores_of_one_retrieval_have_one_matrix() {
        let of = |row: usize, column: usize, within: u32, is_retrieval: bool| Classes {
            row,
            label: String::new(),
            column,
            run: String::new(),
            within,
            is_retrieval,
            has_matrix: true,
            splits: 1,
            classes: vec![],
            confusion: vec![],
        };
        let mut all = vec![
            of(1, 0, 20, true),
            of(1, 1, 1, true),
            of(1, 2, 5, true),
            of(1, 3, 5, true),
            of(1, 4, 1, false),
            of(1, 5, 5, false),
            of(2, 0, 20, true),
        ];
        // Column 3 searches other features.
        one_matrix_each(&mut all, &|a, b| (a.column == 3) == (b.column == 3));
        let kept: Vec<bool> = all.iter().map(|one| one.has_matrix).collect();
        assert_eq!(kept, [false, true, false, true, true, true, true]);
        assert_eq!(all[0].of_bars(), "Share of each class within the first 20");
    }
}
