//! One-vs-rest linear SVMs. A test sample's decision values are the mean over its rows.
//!
//! [`liblinear`](crate::eval::liblinear) fits them where its copies of the rows are of a bearable size, on any machine the same, and to the
//! minimum itself where rows are few, [`newton`](crate::eval::newton) where they are not.
//!
//! The cost is chosen split by split: on the test samples, as in the released code, on a share of the training samples that is held
//! out class by class, or by folds of them. Of these there are augmented clips alone, so they are asked about with those.

use super::{Chosen, Judged, Means, Outcome, best, means as means_of, share};
use crate::error::Result;
use crate::eval::feature_set::{FeatureSet, Features};
use crate::eval::liblinear::{self, Decisions, Problem, Rows, Space};
use crate::eval::newton;
use crate::eval::splits::{Split, parts, rows_of};
use compiler::hir::Choose;
use compiler::units::Exact;
use records::record::Solver;

/// The two kinds of rows.
#[derive(Clone, Copy)]
enum Kind {
    Train,
    Test,
}

/// A set of samples to fit on, one to ask about, and the rows of both.
struct Task<'a> {
    set: &'a FeatureSet,
    // What the rows that are asked about are rows of.
    asked: &'a Features,
    kind: Kind,
    train_rows: Vec<usize>,
    classes_of_rows: Vec<u32>,
    test: Vec<usize>,
    test_rows: Vec<usize>,
    costs: Vec<f64>,
}

/// Fits machines for each split at `costs`, and judges by those of the cost that is chosen.
pub fn judge(
    set: &FeatureSet,
    splits: &[Split],
    (costs, choose): (&[Exact], Choose),
    seed: u64,
    means: &mut Means,
) -> Result<(Vec<Judged>, Solver)> {
    let mut costs: Vec<Exact> = costs.to_vec();
    costs.sort();
    costs.dedup();
    let numbers: Vec<f64> = costs.iter().map(|cost| cost.to_f64()).collect();
    let of_splits = splits.iter().map(|s| rows_of(&set.train, &s.train).len());
    let rows = (set.train.samples.len(), of_splits.max().unwrap_or(0));
    let space = match liblinear::bears(rows, set.test.samples.len(), set.width) {
        true => Some(Space::new(&set.train.values, &set.test.values, set.width)?),
        false => None,
    };
    let mut by_liblinear = 0;
    let mut solver = Solver {
        name: newton::SOLVER.to_owned(),
        tolerance: liblinear::TOLERANCE,
        residual: 0.0,
        fits: 0,
        unconverged: 0,
    };
    // Of each task at each of its costs.
    let mut run = |tasks: &[Task]| -> Result<Vec<Vec<Vec<Outcome>>>> {
        let decisions = match &space {
            Some(space) => {
                let problems: Vec<Problem> = tasks.iter().map(|task| task.problem(space)).collect();
                let mut fitted = |done, all| (means.progress)(done, all, "machines");
                liblinear::decide(&problems, means.threads, &mut fitted, means.stop)?
            }
            None => by_newton(tasks, means)?,
        };
        for found in &decisions {
            solver.residual = solver.residual.max(found.residual);
            solver.fits += found.fits as u64;
            solver.unconverged += found.unconverged as u64;
            by_liblinear += found.by_liblinear as u64;
        }
        let found = tasks.iter().zip(&decisions);
        Ok(found.map(|(task, found)| task.outcomes(found)).collect())
    };
    let shares = |outcomes: &[Vec<Outcome>]| -> Vec<f64> {
        outcomes.iter().map(|outcomes| share(outcomes, 1)).collect()
    };
    let (tried, found): (Vec<Vec<f64>>, Vec<Vec<Outcome>>) = match choose {
        Choose::Test => {
            let tasks: Vec<Task> = splits
                .iter()
                .map(|s| Task::new(set, (&s.train, &s.test), Kind::Test, &numbers))
                .collect();
            let of_costs = run(&tasks)?.into_iter().map(|mut outcomes| {
                let tried = shares(&outcomes);
                let found = outcomes.swap_remove(best(&tried));
                (tried, found)
            });
            of_costs.unzip()
        }
        // A first round chooses the cost on held-out samples or by folds, and a second fits it on all.
        Choose::Val(_) | Choose::Folds(_) => {
            let held: Vec<Vec<(Vec<usize>, Vec<usize>)>> = (splits.iter().enumerate())
                .map(|split| parts(set, split, choose, seed, "the cost"))
                .collect::<Result<_>>()?;
            let first: Vec<Task> = (held.iter().flatten())
                .map(|(fit, held)| Task::new(set, (fit, held), Kind::Train, &numbers))
                .collect();
            let found: Vec<Vec<f64>> = run(&first)?.iter().map(|found| shares(found)).collect();
            let mut left = found.as_slice();
            let tried: Vec<Vec<f64>> = (held.iter())
                .map(|parts| {
                    let (own, others) = left.split_at(parts.len());
                    left = others;
                    means_of(own)
                })
                .collect();
            let chosen = |tried: &[f64]| numbers[best(tried)..][..1].to_vec();
            let second: Vec<Task> = splits
                .iter()
                .zip(&tried)
                .map(|(split, tried)| {
                    let samples = (split.train.as_slice(), split.test.as_slice());
                    Task::new(set, samples, Kind::Test, &chosen(tried))
                })
                .collect();
            let found = run(&second)?;
            (tried, found.into_iter().flatten().collect())
        }
    };
    if space.is_some() {
        solver.name = match by_liblinear {
            0 => liblinear::EXACT.to_owned(),
            fits if fits == solver.fits => liblinear::SOLVER.to_owned(),
            fits => format!(
                "{}; {fits} of the fits: {}",
                liblinear::EXACT,
                liblinear::SOLVER
            ),
        };
    }
    let judged = tried
        .into_iter()
        .zip(found)
        .map(|(tried, outcomes)| Judged {
            outcomes,
            chosen: Chosen::Cost(costs[best(&tried)]),
            tried: costs.iter().map(Exact::to_string).zip(tried).collect(),
        });
    Ok((judged.collect(), solver))
}

/// All machines of a task at once, task after task.
fn by_newton(tasks: &[Task], means: &mut Means) -> Result<Vec<Decisions>> {
    let all = tasks.iter().map(|task| task.costs.len() as u64).sum();
    let mut done = 0;
    let decide = |task: &Task| {
        let rows = |features, rows| newton::Rows {
            features,
            width: task.set.width,
            rows,
        };
        let mut fitted = || {
            done += 1;
            (means.progress)(done, all, "fits of all classes");
        };
        newton::decide(
            rows(&task.set.train, &task.train_rows),
            (&task.classes_of_rows, task.set.classes.len() as u32),
            rows(task.asked, &task.test_rows),
            &task.costs,
            means.device,
            (&mut fitted, means.stop),
        )
    };
    tasks.iter().map(decide).collect()
}

impl<'a> Task<'a> {
    /// Fit on the first samples, ask about the others with their rows of this kind, at these costs.
    fn new(
        set: &'a FeatureSet,
        (train, test): (&[usize], &[usize]),
        kind: Kind,
        costs: &[f64],
    ) -> Self {
        let asked = match kind {
            Kind::Train => &set.train,
            Kind::Test => &set.test,
        };
        let train_rows = rows_of(&set.train, train);
        let class = |row: &usize| set.labels[set.train.samples[*row]];
        Self {
            set,
            asked,
            kind,
            classes_of_rows: train_rows.iter().map(class).collect(),
            train_rows,
            test: test.to_vec(),
            test_rows: rows_of(asked, test),
            costs: costs.to_vec(),
        }
    }

    fn problem<'s>(&'s self, space: &'s Space) -> Problem<'s> {
        let width = space.width;
        Problem {
            train: Rows {
                values: &space.train,
                width,
                rows: &self.train_rows,
            },
            classes_of_rows: &self.classes_of_rows,
            classes: self.set.classes.len() as u32,
            test: Rows {
                values: match self.kind {
                    Kind::Train => &space.train,
                    Kind::Test => &space.test,
                },
                width,
                rows: &self.test_rows,
            },
            costs: &self.costs,
            products: space.products.as_ref(),
        }
    }

    /// What was found for the samples asked about, at each cost.
    fn outcomes(&self, found: &Decisions) -> Vec<Vec<Outcome>> {
        let of_cost = |by_class: &Vec<Vec<f64>>| {
            // Sums do as well as means: the values of a sample are equally many for all classes.
            let mut sums = vec![vec![0.0; by_class.len()]; self.set.samples.len()];
            for (class, values) in by_class.iter().enumerate() {
                for (row, value) in self.test_rows.iter().zip(values) {
                    sums[self.asked.samples[*row]][class] += value;
                }
            }
            let found = self.test.iter();
            found
                .map(|sample| Outcome::of_scores(self.set, *sample, &sums[*sample]))
                .collect()
        };
        found.values.iter().map(of_cost).collect()
    }
}
