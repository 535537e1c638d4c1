//! One-vs-rest linear SVMs. A test sample's decision values are the mean over its rows.
//!
//! The cost is chosen split by split, as in the released code: on the test samples, or on a share of the training samples that is held
//! out class by class. Of these there are augmented clips alone, so they are asked about with those.

use super::{Chosen, Judged, Means, Outcome, best, share};
use crate::error::Result;
use crate::eval::feature_set::{FeatureSet, Features};
use crate::eval::liblinear::{self, Decisions, Problem, Rows, Space};
use crate::eval::splits::{Split, hold_out, rows_of};
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
    space: &'a Space,
    // What the rows that are asked about are rows of, and these in the space.
    asked: (&'a Features, &'a [f64]),
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
    let space = Space::new(&set.train.values, &set.test.values, set.width)?;
    let mut solver = Solver {
        name: liblinear::SOLVER.to_owned(),
        tolerance: liblinear::TOLERANCE,
        residual: 0.0,
        unconverged: 0,
    };
    // Of each task at each of its costs.
    let mut run = |tasks: &[Task]| -> Result<Vec<Vec<Vec<Outcome>>>> {
        let problems: Vec<Problem> = tasks.iter().map(Task::problem).collect();
        let mut fitted = |done, all| (means.progress)(done, all, "machines");
        let decisions = liblinear::decide(&problems, means.threads, &mut fitted, means.stop)?;
        for found in &decisions {
            solver.residual = solver.residual.max(found.residual);
            solver.unconverged += found.unconverged as u64;
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
                .map(|s| Task::new(set, &space, (&s.train, &s.test), Kind::Test, &numbers))
                .collect();
            let of_costs = run(&tasks)?.into_iter().map(|mut outcomes| {
                let tried = shares(&outcomes);
                let found = outcomes.swap_remove(best(&tried));
                (tried, found)
            });
            of_costs.unzip()
        }
        // A first round chooses the cost on held-out samples, and a second fits it on all.
        Choose::Val(part) => {
            let held: Vec<(Vec<usize>, Vec<usize>)> = splits
                .iter()
                .map(|split| hold_out(set, split, part, seed, "the cost"))
                .collect::<Result<_>>()?;
            let first: Vec<Task> = held
                .iter()
                .map(|(fit, held)| Task::new(set, &space, (fit, held), Kind::Train, &numbers))
                .collect();
            let tried: Vec<Vec<f64>> = run(&first)?.iter().map(|found| shares(found)).collect();
            let chosen = |tried: &[f64]| numbers[best(tried)..][..1].to_vec();
            let second: Vec<Task> = splits
                .iter()
                .zip(&tried)
                .map(|(split, tried)| {
                    let samples = (split.train.as_slice(), split.test.as_slice());
                    Task::new(set, &space, samples, Kind::Test, &chosen(tried))
                })
                .collect();
            let found = run(&second)?;
            (tried, found.into_iter().flatten().collect())
        }
    };
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

impl<'a> Task<'a> {
    /// Fit on the first samples, ask about the others with their rows of this kind, at these costs.
    fn new(
        set: &'a FeatureSet,
        space: &'a Space,
        (train, test): (&[usize], &[usize]),
        kind: Kind,
        costs: &[f64],
    ) -> Self {
        let asked: (&Features, &[f64]) = match kind {
            Kind::Train => (&set.train, &space.train),
            Kind::Test => (&set.test, &space.test),
        };
        let train_rows = rows_of(&set.train, train);
        let class = |row: &usize| set.labels[set.train.samples[*row]];
        Self {
            set,
            space,
            asked,
            classes_of_rows: train_rows.iter().map(class).collect(),
            train_rows,
            test: test.to_vec(),
            test_rows: rows_of(asked.0, test),
            costs: costs.to_vec(),
        }
    }

    fn problem(&self) -> Problem<'_> {
        let width = self.space.width;
        Problem {
            train: Rows {
                values: &self.space.train,
                width,
                rows: &self.train_rows,
            },
            classes_of_rows: &self.classes_of_rows,
            classes: self.set.classes.len() as u32,
            test: Rows {
                values: self.asked.1,
                width,
                rows: &self.test_rows,
            },
            costs: &self.costs,
        }
    }

    /// What was found for the samples asked about, at each cost.
    fn outcomes(&self, found: &Decisions) -> Vec<Vec<Outcome>> {
        let of_cost = |by_class: &Vec<Vec<f64>>| {
            // Sums do as well as means: the values of a sample are equally many for all classes.
            let mut sums = vec![vec![0.0; by_class.len()]; self.set.samples.len()];
            for (class, values) in by_class.iter().enumerate() {
                for (row, value) in self.test_rows.iter().zip(values) {
                    sums[self.asked.0.samples[*row]][class] += value;
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
