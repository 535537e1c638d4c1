//! Whether rows of a table differ by more than chance: differences between them, each with the test that its repetitions allow.
//!
//! What is repeated decides which test there is, and what its p-value speaks of:
//!
//! - **Seeds**, two or more that both have: whole experiments repeated, whose differences are independent. A paired t-test over
//!   them, and beside it the exact test that flips signs, which assumes no distribution but cannot fall below 2 of 2^n.
//! - **Folds or splits**, of rows of one seed each, or of the one seed that both have: their training sets overlap, and a plain
//!   t-test would find too much. The t-test with the variance that Nadeau and Bengio correct for that.
//! - **Samples**, of the same rows where their scores name what they came to for each: the exact test of McNemar. It speaks of
//!   these two trained networks on samples such as these, not of what another seed would give.
//!
//! Many comparisons find something by chance: beside each p-value stands the one that Holm's method gives for all of its kind in
//! a column.

use super::statistics::{holm, paired_t, sign_flip};
use super::{CellReport, TableReport};
use crate::comparison;
use crate::predictions::Prediction;
use compiler::plan::StageId;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
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
    /// The number of the first less that of the second: the mean over the seeds that both have, of those that have none in common the
    /// difference of their means.
    pub difference: f64,
    /// How many seeds both have; `None` where each is a single row.
    pub seeds: Option<usize>,
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
    /// Its cells with a number.
    cells: Vec<Cell<'t>>,
}

/// The cell of one seed.
#[derive(Clone, Copy)]
struct Cell<'t> {
    seed: u64,
    row: usize,
    value: f64,
    report: &'t CellReport,
}

/// What became of the samples of each row.
type Samples<'o> = BTreeMap<usize, BTreeMap<&'o str, comparison::Outcome<'o>>>;

/// The comparisons of a table. `outcome` has what a cell, by row and column, came to for each sample, where that was kept; `place` where
/// a row lies on the axis of a figure, if it lies on one: where several rows lie at one place, these are compared.
pub(super) fn comparisons(
    table: &TableReport,
    outcome: &dyn Fn(usize, usize) -> Option<Outcome>,
    place: &dyn Fn(usize) -> Option<usize>,
) -> Vec<Comparison> {
    let mut found = vec![];
    for column in 0..table.columns.len() {
        let mut sides = sides(table, column);
        sides.retain(|side| !side.cells.is_empty());
        let rows = sides.iter().flat_map(|side| &side.cells);
        let outcomes = rows.filter_map(|cell| Some((cell.row, outcome(cell.row, column)?)));
        let outcomes: BTreeMap<usize, Outcome> = outcomes.collect();
        let samples = outcomes.iter().map(|(row, outcome)| {
            let lines = comparison::outcomes(&outcome.predictions, outcome.within);
            (*row, lines)
        });
        let samples: Samples<'_> = samples.collect();
        let first = found.len();
        let mut known = BTreeSet::new();
        for sides in together(&sides, place) {
            for (at, with) in sides.iter().enumerate() {
                let is_last = at + 1 == sides.len();
                if sides.len() > MOST_PAIRS && !is_last {
                    continue;
                }
                let before = sides[..at].iter().filter(|of| !are_one(of, with));
                let new = before.filter(|of| is_new(&mut known, of, with));
                found.extend(new.map(|of| compared(column, of, with, &samples)));
            }
        }
        correct(&mut found[first..]);
    }
    found
}

/// The sides that are compared with one another: those at one place where any two lie at one, else all.
fn together<'s, 't>(
    sides: &'s [Side<'t>],
    place: &dyn Fn(usize) -> Option<usize>,
) -> Vec<Vec<&'s Side<'t>>> {
    let mut places: BTreeMap<Option<usize>, Vec<&Side<'t>>> = BTreeMap::new();
    for side in sides {
        let at = side.rows.first().and_then(|row| place(*row));
        places.entry(at).or_default().push(side);
    }
    let is_shared = places
        .iter()
        .any(|(at, sides)| at.is_some() && sides.len() > 1);
    match is_shared {
        true => places.into_values().collect(),
        false => vec![sides.iter().collect()],
    }
}

/// Whether the numbers of one are among those of the other: rows that come to the same stages, as checkpoints of a short training do,
/// or a row that stands again by itself.
fn are_one(of: &Side<'_>, with: &Side<'_>) -> bool {
    let (few, many) = match of.cells.len() <= with.cells.len() {
        true => (of, with),
        false => (with, of),
    };
    let is_there = |cell: &Cell<'_>| {
        let stage = cell.report.stage.as_ref();
        let mut others = many.cells.iter();
        stage.is_some() && others.any(|other| other.report.stage.as_ref() == stage)
    };
    !few.cells.is_empty() && few.cells.iter().all(is_there)
}

/// Whether no two sides before came to the same stages as these two. A number that stands in several rows is compared once with another:
/// it is one test, however often it is printed.
fn is_new<'t>(known: &mut BTreeSet<[Vec<&'t StageId>; 2]>, of: &Side<'t>, with: &Side<'t>) -> bool {
    let stages = |side: &Side<'t>| -> Option<Vec<&'t StageId>> {
        let stages = side.cells.iter().map(|cell| cell.report.stage.as_ref());
        let mut stages: Vec<&StageId> = stages.collect::<Option<_>>()?;
        stages.sort();
        Some(stages)
    };
    let Some((of, with)) = stages(of).zip(stages(with)) else {
        return true;
    };
    let mut pair = [of, with];
    pair.sort();
    known.insert(pair)
}

/// The rows of a table as they are compared in one column: groups of seeds, each cell with a number.
fn sides(table: &TableReport, column: usize) -> Vec<Side<'_>> {
    let cell = |number: usize, seed: u64| {
        let row = table.rows.iter().find(|row| row.number == number)?;
        let report = row.cells.get(column)?;
        Some(Cell {
            seed,
            row: number,
            value: report.value?,
            report,
        })
    };
    if table.seeds.is_empty() {
        let rows = table.rows.iter();
        return rows
            .map(|row| Side {
                label: &row.label,
                rows: vec![row.number],
                cells: cell(row.number, 0).into_iter().collect(),
            })
            .collect();
    }
    let groups = table.seeds.iter().map(|group| {
        let rows = group.rows.iter().zip(&group.seeds);
        Side {
            label: &group.label,
            rows: group.rows.clone(),
            cells: rows.filter_map(|(row, seed)| cell(*row, *seed)).collect(),
        }
    });
    groups.collect()
}

fn compared(column: usize, of: &Side<'_>, with: &Side<'_>, samples: &Samples<'_>) -> Comparison {
    // Seeds that one of them lacks are no pairs.
    let partner = |cell: &Cell<'_>| with.cells.iter().find(|one| one.seed == cell.seed).copied();
    let common = of.cells.iter().filter_map(|a| Some((*a, partner(a)?)));
    let common: Vec<(Cell<'_>, Cell<'_>)> = common.collect();
    let (pairs, seeds) = match (
        of.rows.len(),
        of.cells.as_slice(),
        with.rows.len(),
        with.cells.as_slice(),
    ) {
        // Two rows are a pair, whatever their seeds are.
        (1, [a], 1, [b]) => (vec![(*a, *b)], None),
        _ => (common.clone(), Some(common.len())),
    };
    let differences: Vec<f64> = pairs.iter().map(|(a, b)| a.value - b.value).collect();
    let mut tests = vec![];
    let difference = match pairs.as_slice() {
        [] => {
            mean(of.cells.iter().map(|cell| cell.value))
                - mean(with.cells.iter().map(|cell| cell.value))
        }
        [(a, b)] => {
            tests.extend(over_folds(a.report, b.report));
            let samples = samples.get(&a.row).zip(samples.get(&b.row));
            tests.extend(samples.and_then(|(a, b)| over_samples(a, b)));
            differences[0]
        }
        _ => {
            tests.extend(over_seeds(&differences));
            mean(differences.into_iter())
        }
    };
    Comparison {
        column,
        of: of.label.to_owned(),
        of_rows: of.rows.clone(),
        with: with.label.to_owned(),
        with_rows: with.rows.clone(),
        difference,
        seeds,
        tests,
    }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1) as f64;
    values.sum::<f64>() / count
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
    let found = comparison::folds(&with.results, &of.results)?;
    (found.count > 1).then_some(Test {
        kind: TestKind::Folds,
        pairs: found.count,
        t: found.t,
        only: None,
        p: found.p,
        holm: None,
    })
}

/// Over the samples that both have scored.
fn over_samples(
    of: &BTreeMap<&str, comparison::Outcome<'_>>,
    with: &BTreeMap<&str, comparison::Outcome<'_>>,
) -> Option<Test> {
    let found = comparison::samples(of, with)?;
    Some(Test {
        kind: TestKind::Samples,
        pairs: found.both + found.first + found.second + found.neither,
        t: None,
        only: Some((found.first as u64, found.second as u64)),
        p: Some(found.p),
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
    use crate::fixture;
    use crate::record::FoldResult;
    use crate::report::{Column, RowReport, SeedGroup};

    fn fold(name: usize, value: f64) -> FoldResult {
        FoldResult {
            name: name.to_string(),
            value,
            cost: None,
            epoch: None,
            tried: vec![],
            train: 80,
            test: 20,
            untested: vec![],
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
                is_drawn: false,
                chosen: None,
            }],
            rows,
            seeds,
            cautions: vec![],
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
        let found = comparisons(&table(rows, vec![]), &|_, _| None, &|_| None);
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
        let found = comparisons(&table(rows.collect(), seeds), &|_, _| None, &|_| None);
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
        let outcome = |ranks: &[(&str, &str, u64)]| Outcome {
            within: 2,
            predictions: Rc::new(fixture::predictions(ranks)),
        };
        let a = outcome(&[("1", "x", 1), ("1", "y", 2), ("1", "z", 3), ("2", "x", 9)]);
        let b = outcome(&[("1", "x", 3), ("1", "y", 1), ("2", "x", 1), ("2", "w", 1)]);
        let rows = vec![row(1, &[60.0]), row(2, &[50.0])];
        let all = [a, b];
        let outcome = |row: usize, _: usize| Some(all[row - 1].clone());
        let found = comparisons(&table(rows, vec![]), &outcome, &|_| None);
        let [test] = found[0].tests.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!((test.pairs, test.only), (2, Some((1, 0))));
        assert!((test.p.unwrap() - 1.0).abs() < 1e-12, "{test:?}");
    }

    #[test]
    fn one_seed_that_both_have_is_the_pair_and_of_none_nothing_is_tested() {
        let two = [[20.0, 30.0], [30.0, 45.0], [10.0, 15.0]];
        let rows = (1..).zip(two).map(|(number, folds)| row(number, &folds));
        let rows: Vec<RowReport> = rows.collect();
        let line = |sample: &str, rank: u64| Prediction {
            split: "1".to_owned(),
            sample: sample.to_owned(),
            class: "a".to_owned(),
            predicted: "b".to_owned(),
            rank,
        };
        let outcome = |row: usize, _: usize| {
            let ranks = [[1, 1, 2], [2, 2, 2], [1, 2, 2]][row - 1];
            let lines = ["x", "y", "z"].into_iter().zip(ranks);
            Some(Outcome {
                within: 1,
                predictions: Rc::new(lines.map(|(sample, rank)| line(sample, rank)).collect()),
            })
        };
        let mut seeds = vec![group("a", &[1, 2]), group("b", &[3])];
        let found = comparisons(&table(rows.clone(), seeds.clone()), &outcome, &|_| None);
        let [one] = found.as_slice() else {
            panic!("{found:?}")
        };
        // Row 1 less row 3, and not the mean of rows 1 and 2 less row 3.
        assert_eq!((one.difference, one.seeds), (12.5, Some(1)));
        let kinds: Vec<TestKind> = one.tests.iter().map(|test| test.kind).collect();
        assert_eq!(kinds, [TestKind::Folds, TestKind::Samples]);
        assert_eq!(one.tests[1].only, Some((1, 0)));
        seeds[1].seeds = vec![7];
        let found = comparisons(&table(rows, seeds), &outcome, &|_| None);
        assert_eq!(
            (found[0].difference, found[0].seeds),
            (31.25 - 12.5, Some(0))
        );
        assert!(found[0].tests.is_empty());
    }

    #[test]
    fn where_rows_share_places_of_an_axis_those_at_one_place_are_compared() {
        let rows: Vec<RowReport> = (1..=14)
            .map(|number| row(number, &[number as f64]))
            .collect();
        let table = table(rows, vec![]);
        let pairs = |place: &dyn Fn(usize) -> Option<usize>| -> Vec<(usize, usize)> {
            let found = comparisons(&table, &|_, _| None, place);
            found
                .iter()
                .map(|one| (one.of_rows[0], one.with_rows[0]))
                .collect()
        };
        let due: Vec<(usize, usize)> = (1..=7).map(|number| (number, number + 7)).collect();
        assert_eq!(pairs(&|row| Some(row % 7)).len(), 7);
        assert!(
            due.iter()
                .all(|pair| pairs(&|row| Some(row % 7)).contains(pair))
        );
        // Where each has a place of its own, places part nothing.
        assert_eq!(pairs(&Some).len(), 13);
    }

    #[test]
    fn rows_of_one_stage_are_not_compared_with_one_another() {
        let mut rows: Vec<RowReport> = (1..=3).map(|number| row(number, &[50.0, 60.0])).collect();
        for (row, stage) in rows.iter_mut().zip(["a", "a", "b"]) {
            row.cells[0].stage = Some(StageId(stage.repeat(64)));
        }
        let found = comparisons(&table(rows, vec![]), &|_, _| None, &|_| None);
        let pairs: Vec<(usize, usize)> = (found.iter())
            .map(|one| (one.of_rows[0], one.with_rows[0]))
            .collect();
        assert_eq!(pairs, [(1, 3)]);
    }

    #[test]
    fn two_numbers_that_stand_in_several_rows_are_compared_once() {
        let of = |stage: char| match stage {
            'a' => [50.0, 51.0],
            'b' => [60.0, 63.0],
            _ => [70.0, 76.0],
        };
        let rows = (1..).zip("ababc".chars()).map(|(number, stage)| {
            let mut row = row(number, &of(stage));
            row.cells[0].stage = Some(StageId(stage.to_string().repeat(64)));
            row
        });
        let found = comparisons(&table(rows.collect(), vec![]), &|_, _| None, &|_| None);
        let pairs: Vec<(usize, usize)> = (found.iter())
            .map(|one| (one.of_rows[0], one.with_rows[0]))
            .collect();
        assert_eq!(pairs, [(1, 2), (1, 5), (2, 5)]);
        // Three tests, and not ten.
        let tests = found.iter().flat_map(|one| &one.tests);
        let least = tests.clone().filter_map(|test| test.p).fold(1.0, f64::min);
        let holm = tests.filter_map(|test| test.holm).fold(1.0, f64::min);
        assert!((holm - (3.0 * least).min(1.0)).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn of_many_rows_each_is_compared_with_the_last() {
        let rows = (1..=14).map(|number| row(number, &[number as f64]));
        let found = comparisons(&table(rows.collect(), vec![]), &|_, _| None, &|_| None);
        assert_eq!(found.len(), 13);
        assert!(
            found
                .iter()
                .all(|one| one.with_rows == [14] && one.tests.is_empty())
        );
    }
}
