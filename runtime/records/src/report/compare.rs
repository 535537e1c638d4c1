//! Whether rows of a table differ by more than chance: differences between them, each with the test that its repetitions allow.
//!
//! What is repeated decides which test there is, and what its p-value speaks of:
//!
//! - **Seeds**, two or more that both have: whole experiments repeated, whose differences are independent. A paired t-test over
//!   them, and beside it the exact test that flips signs, which assumes no distribution but cannot fall below 2 of 2^n.
//! - **Folds or splits**, of rows of one seed each: their training sets overlap, and a plain t-test would find too much. The
//!   t-test with the variance that Nadeau and Bengio correct for that.
//! - **Samples**, of rows of one seed each whose scores name what they came to for each: the exact test of McNemar. It speaks of
//!   these two trained networks on samples such as these, not of what another seed would give.
//!
//! Many comparisons find something by chance: beside each p-value stands the one that Holm's method gives for all of its kind in
//! a column.

use super::statistics::{corrected_t, holm, mcnemar, paired_t, sign_flip};
use super::{CellReport, SeedGroup, TableReport};
use crate::predictions::Prediction;
use serde::Serialize;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Up to this many rows with numbers each is compared with each; of more rows, all with the last.
const MOST_PAIRS: usize = 12;

/// A difference of two rows, or of two groups of rows, in one score.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The score, by its place among the columns.
    pub column: usize,
    /// Label of what is compared.
    pub of: String,
    /// Its rows.
    pub of_rows: Vec<usize>,
    /// Label of what it is compared with.
    pub with: String,
    /// Its rows.
    pub with_rows: Vec<usize>,
    /// The number of the first less that of the second: means over what is paired.
    pub difference: f64,
    /// The tests that there can be; none where nothing is repeated.
    pub tests: Vec<Test>,
}

/// What one test found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Test {
    /// Which one.
    pub kind: TestKind,
    /// Pairs: seeds, folds or samples.
    pub pairs: usize,
    /// The statistic: t; of McNemar none.
    pub t: Option<f64>,
    /// Of McNemar, the samples that the first alone has right, and the second alone.
    pub only: Option<(u64, u64)>,
    /// The two-sided p-value; none where the differences do not vary.
    pub p: Option<f64>,
    /// The same, corrected for all tests of this kind in the column.
    pub holm: Option<f64>,
}

/// The tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TestKind {
    /// Paired t over seeds.
    Seeds,
    /// Signs flipped in all ways, over seeds.
    Flips,
    /// Corrected paired t over folds.
    Folds,
    /// McNemar over samples.
    Samples,
}

impl TestKind {
    /// All of them.
    pub const ALL: [TestKind; 4] = [
        TestKind::Seeds,
        TestKind::Flips,
        TestKind::Folds,
        TestKind::Samples,
    ];

    /// As a page writes it.
    pub fn name(self) -> &'static str {
        match self {
            TestKind::Seeds => "paired t over seeds",
            TestKind::Flips => "exact sign flips over seeds",
            TestKind::Folds => "corrected paired t over folds",
            TestKind::Samples => "exact McNemar over samples",
        }
    }
}

/// What the score of a cell came to for each sample, and how many of the first places count as right.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    /// 1 of top-1, k of R@k.
    pub within: u32,
    pub predictions: Rc<Vec<Prediction>>,
}

/// One side of a comparison.
struct Side<'t> {
    label: &'t str,
    rows: Vec<usize>,
    /// The cell of each seed.
    cells: Vec<(u64, &'t CellReport)>,
}

/// The comparisons of a table. `outcome` has what a cell, by row and column, came to for each sample, where that was kept.
pub(super) fn comparisons(
    table: &TableReport,
    outcome: &dyn Fn(usize, usize) -> Option<Outcome>,
) -> Vec<Comparison> {
    let mut found = vec![];
    for column in 0..table.columns.len() {
        let mut sides = sides(table, column);
        sides.retain(|side| !side.cells.is_empty());
        let outcomes: Vec<Option<Outcome>> = sides
            .iter()
            .map(|side| match (side.rows.as_slice(), side.cells.len()) {
                ([row], 1) => outcome(*row, column),
                _ => None,
            })
            .collect();
        let right: Vec<Option<Right<'_>>> = outcomes
            .iter()
            .map(|outcome| outcome.as_ref().map(right))
            .collect();
        let first = found.len();
        for (at, with) in sides.iter().enumerate() {
            let is_last = at + 1 == sides.len();
            if sides.len() > MOST_PAIRS && !is_last {
                continue;
            }
            for (before, of) in sides[..at].iter().enumerate() {
                let samples = right[before].as_ref().zip(right[at].as_ref());
                found.extend(compared(column, of, with, samples));
            }
        }
        correct(&mut found[first..]);
    }
    found
}

/// The rows of a table as they are compared in one column: groups of seeds, each cell with a number.
fn sides(table: &TableReport, column: usize) -> Vec<Side<'_>> {
    let cell = |number: usize| {
        let row = table.rows.iter().find(|row| row.number == number);
        row.and_then(|row| row.cells.get(column))
            .filter(|cell| cell.value.is_some())
    };
    if table.seeds.is_empty() {
        let rows = table.rows.iter();
        return rows
            .map(|row| Side {
                label: &row.label,
                rows: vec![row.number],
                cells: cell(row.number).map(|cell| (0, cell)).into_iter().collect(),
            })
            .collect();
    }
    let of_group = |group: &'_ SeedGroup| {
        let rows = group.rows.iter().zip(&group.seeds);
        rows.filter_map(|(row, seed)| Some((*seed, cell(*row)?)))
            .collect()
    };
    table
        .seeds
        .iter()
        .map(|group| Side {
            label: &group.label,
            rows: group.rows.clone(),
            cells: of_group(group),
        })
        .collect()
}

fn compared(
    column: usize,
    of: &Side<'_>,
    with: &Side<'_>,
    samples: Option<(&Right<'_>, &Right<'_>)>,
) -> Option<Comparison> {
    let mut tests = vec![];
    let other: BTreeMap<u64, &CellReport> = with.cells.iter().copied().collect();
    let paired: Vec<f64> = of
        .cells
        .iter()
        .filter_map(|(seed, cell)| Some(cell.value? - other.get(seed)?.value?))
        .collect();
    let difference = match (of.cells.as_slice(), with.cells.as_slice()) {
        ([(_, a)], [(_, b)]) => {
            tests.extend(over_folds(a, b));
            a.value? - b.value?
        }
        // Seeds that one of them lacks are no pairs.
        _ if paired.len() > 1 => {
            tests.extend(over_seeds(&paired));
            paired.iter().sum::<f64>() / paired.len() as f64
        }
        (many, others) => mean(many)? - mean(others)?,
    };
    tests.extend(samples.and_then(|(a, b)| over_samples(a, b)));
    Some(Comparison {
        column,
        of: of.label.to_owned(),
        of_rows: of.rows.clone(),
        with: with.label.to_owned(),
        with_rows: with.rows.clone(),
        difference,
        tests,
    })
}

fn mean(cells: &[(u64, &CellReport)]) -> Option<f64> {
    let values: Option<Vec<f64>> = cells.iter().map(|(_, cell)| cell.value).collect();
    let values = values?;
    Some(values.iter().sum::<f64>() / values.len().max(1) as f64)
}

fn over_seeds(differences: &[f64]) -> [Test; 2] {
    let student = paired_t(differences);
    let test = |kind, t, p| Test {
        kind,
        pairs: differences.len(),
        t,
        only: None,
        p,
        holm: None,
    };
    [
        test(TestKind::Seeds, student.map(|s| s.t), student.map(|s| s.p)),
        test(TestKind::Flips, None, sign_flip(differences)),
    ]
}

/// Over the folds of both, where they have the same ones.
fn over_folds(of: &CellReport, with: &CellReport) -> Option<Test> {
    let are_equal = of.results.len() == with.results.len()
        && (of.results.iter().zip(&with.results)).all(|(a, b)| a.name == b.name);
    if !are_equal || of.results.len() < 2 {
        return None;
    }
    let pairs = of.results.iter().zip(&with.results);
    let differences: Vec<f64> = pairs.map(|(a, b)| a.value - b.value).collect();
    let sum = |count: fn(&crate::record::FoldResult) -> u64| -> f64 {
        of.results.iter().map(|fold| count(fold) as f64).sum()
    };
    let ratio = sum(|fold| fold.test) / sum(|fold| fold.train).max(1.0);
    let student = corrected_t(&differences, ratio);
    Some(Test {
        kind: TestKind::Folds,
        pairs: differences.len(),
        t: student.map(|s| s.t),
        only: None,
        p: student.map(|s| s.p),
        holm: None,
    })
}

/// Whether each sample counts as right, with the split that this is of; where splits share a sample, the first one's.
type Right<'o> = BTreeMap<&'o str, (&'o str, bool)>;

fn right(outcome: &Outcome) -> Right<'_> {
    let mut right = Right::new();
    for line in outcome.predictions.iter() {
        let found = (line.split.as_str(), line.is_within(outcome.within));
        right.entry(&line.sample).or_insert(found);
    }
    right
}

/// Over the samples that both name in the same split.
fn over_samples(of: &Right<'_>, with: &Right<'_>) -> Option<Test> {
    let (mut pairs, mut only) = (0, (0, 0));
    for (sample, (split, a)) in of {
        let Some((_, b)) = with.get(sample).filter(|(other, _)| other == split) else {
            continue;
        };
        pairs += 1;
        only.0 += u64::from(*a && !b);
        only.1 += u64::from(*b && !a);
    }
    (pairs > 0).then(|| Test {
        kind: TestKind::Samples,
        pairs,
        t: None,
        only: Some(only),
        p: Some(mcnemar(only.0, only.1)),
        holm: None,
    })
}

/// Corrects the p-values of each kind for all of them.
fn correct(found: &mut [Comparison]) {
    for kind in TestKind::ALL {
        let mut tests: Vec<&mut Test> = found
            .iter_mut()
            .flat_map(|comparison| &mut comparison.tests)
            .filter(|test| test.kind == kind && test.p.is_some())
            .collect();
        let p: Vec<f64> = tests.iter().filter_map(|test| test.p).collect();
        for (test, holm) in tests.iter_mut().zip(holm(&p)) {
            test.holm = Some(holm);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::FoldResult;
    use crate::report::{Column, RowReport};
    use compiler::plan::StageId;

    fn fold(name: usize, value: f64) -> FoldResult {
        FoldResult {
            name: name.to_string(),
            value,
            cost: None,
            epoch: None,
            tried: vec![],
            train: 80,
            test: 20,
        }
    }

    /// A row of a table with one score whose folds gave these values.
    fn row(number: usize, folds: &[f64]) -> RowReport {
        let results: Vec<FoldResult> = (1..).zip(folds).map(|(i, v)| fold(i, *v)).collect();
        let value = folds.iter().sum::<f64>() / folds.len() as f64;
        RowReport {
            number,
            label: format!("row {number}"),
            pretrain: StageId("0".repeat(64)),
            cells: vec![CellReport {
                value: (!folds.is_empty()).then_some(value),
                results,
                ..CellReport::default()
            }],
        }
    }

    fn table(rows: Vec<RowReport>, seeds: Vec<SeedGroup>) -> TableReport {
        TableReport {
            name: "t".to_owned(),
            title: None,
            columns: vec![Column {
                name: "score".to_owned(),
                has_expected: false,
                chosen: None,
            }],
            rows,
            seeds,
            notes: vec![],
        }
    }

    fn group(label: &str, rows: &[usize]) -> SeedGroup {
        SeedGroup {
            label: label.to_owned(),
            rows: rows.to_vec(),
            seeds: (1..).take(rows.len()).collect(),
            cells: vec![],
        }
    }

    #[test]
    fn folds_are_paired_by_name_and_corrected_for_their_overlap() {
        let rows = vec![
            row(1, &[72.0, 74.5, 70.0, 73.5, 76.0]),
            row(2, &[70.0, 71.0, 69.0, 71.0, 72.0]),
            row(3, &[]),
        ];
        let found = comparisons(&table(rows, vec![]), &|_, _| None);
        let [one] = found.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!(
            (one.of_rows.as_slice(), one.with_rows.as_slice()),
            (&[1][..], &[2][..])
        );
        assert!((one.difference - 2.6).abs() < 1e-12);
        // The differences are those of the golden of `corrected_t`.
        let [test] = one.tests.as_slice() else {
            panic!("{one:?}")
        };
        assert_eq!((test.kind, test.pairs), (TestKind::Folds, 5));
        assert!((test.p.unwrap() - 0.031469887935153505).abs() < 1e-9);
        assert_eq!(test.holm, test.p);
    }

    #[test]
    fn seeds_that_both_have_are_paired_and_others_are_not() {
        let values = [71.2, 70.4, 72.1, 70.0, 70.0, 70.0, 99.0];
        let rows = (1..)
            .zip(values)
            .map(|(number, value)| row(number, &[value]));
        let seeds = vec![group("a", &[1, 2, 3]), group("b", &[4, 5, 6, 7])];
        let found = comparisons(&table(rows.collect(), seeds), &|_, _| None);
        let [one] = found.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!((one.of.as_str(), one.with.as_str()), ("a", "b"));
        assert!((one.difference - (1.2 + 0.4 + 2.1) / 3.0).abs() < 1e-9);
        let p: Vec<f64> = one.tests.iter().filter_map(|test| test.p).collect();
        assert_eq!(one.tests[0].kind, TestKind::Seeds);
        assert!((p[0] - 0.12862747799689472).abs() < 1e-9, "{p:?}");
        assert_eq!(p[1], 0.25);
        assert!(one.tests.iter().all(|test| test.pairs == 3));
    }

    #[test]
    fn samples_count_once_and_by_the_rank_that_the_score_asks_for() {
        let outcome = |ranks: &[(&str, &str, u64)]| {
            let line = |(split, sample, rank): &(&str, &str, u64)| Prediction {
                split: (*split).to_owned(),
                sample: (*sample).to_owned(),
                class: "a".to_owned(),
                predicted: "b".to_owned(),
                rank: *rank,
            };
            Outcome {
                within: 2,
                predictions: Rc::new(ranks.iter().map(line).collect()),
            }
        };
        let a = outcome(&[("1", "x", 1), ("1", "y", 2), ("1", "z", 3), ("2", "x", 9)]);
        let b = outcome(&[("1", "x", 3), ("1", "y", 1), ("2", "x", 1), ("2", "w", 1)]);
        let rows = vec![row(1, &[60.0]), row(2, &[50.0])];
        let all = [a, b];
        let found = comparisons(&table(rows, vec![]), &|row, _| Some(all[row - 1].clone()));
        let [test] = found[0].tests.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!((test.pairs, test.only), (2, Some((1, 0))));
        assert!((test.p.unwrap() - 1.0).abs() < 1e-12, "{test:?}");
    }

    #[test]
    fn of_many_rows_each_is_compared_with_the_last() {
        let rows = (1..=14).map(|number| row(number, &[number as f64]));
        let found = comparisons(&table(rows.collect(), vec![]), &|_, _| None);
        assert_eq!(found.len(), 13);
        assert!(
            found
                .iter()
                .all(|one| one.with_rows == [14] && one.tests.is_empty())
        );
    }
}
