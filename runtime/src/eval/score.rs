//! Classifiers on extracted features, and the share of test samples that they name rightly.
//!
//! In each split a one-vs-rest linear SVM is fitted on the rows of the training samples. A test sample's decision values are the
//! mean over its rows; its class is that of the highest value, the first of equals. The cost is chosen split by split, as in the
//! released code: on the test samples, or on a share of the training samples that is held out class by class. Of these there are
//! augmented clips alone, so they are asked about with those.

use super::feature_set::{FeatureSet, Features};
use super::svm::{self, Decisions, Problem, Rows, Space};
use crate::augment::Key;
use crate::data::manifest::splits::{Part, part};
use crate::error::{Error, Result};
use compiler::hir::{Choose, Head, Score};
use compiler::plan::ScoreWork;
use compiler::units::Exact;
use records::record::{FoldResult, Solver};
use std::sync::atomic::AtomicBool;

/// The folds' results and how the classifiers were fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// One for each split, in order.
    pub folds: Vec<FoldResult>,
    /// The solver of the classifiers.
    pub solver: Solver,
}

/// One split: which samples train, which test.
#[derive(Clone, Debug, PartialEq)]
struct Split {
    name: String,
    train: Vec<usize>,
    test: Vec<usize>,
}

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

/// Scores `set` as `work` says, on up to `threads` threads; the result does not depend on their number.
/// `progress` is called with the numbers of machines fitted and of all.
pub fn score(
    set: &FeatureSet,
    work: &ScoreWork,
    threads: usize,
    progress: &mut dyn FnMut(u64, u64),
    stop: &AtomicBool,
) -> Result<Scores> {
    let (Score::Top1, Head::Svm { costs, choose }, []) =
        (work.score, &work.head, work.beside.as_slice())
    else {
        return Err(Error::Unsupported {
            message: "this version scores one set of features by a linear SVM, and nothing else"
                .to_owned(),
        });
    };
    let mut costs: Vec<Exact> = costs.clone();
    costs.sort();
    costs.dedup();
    let numbers: Vec<f64> = costs.iter().map(|cost| cost.to_f64()).collect();
    check_values(set)?;
    let splits = splits(set)?;
    for split in &splits {
        check_classes(set, split)?;
    }

    let space = Space::new(&set.train.values, &set.test.values, set.width)?;
    // Where the cost is chosen on held-out samples, a first round chooses it and a second fits it on all.
    let mut solver = Solver {
        name: svm::SOLVER.to_owned(),
        tolerance: svm::TOLERANCE,
        residual: 0.0,
        unconverged: 0,
    };
    let mut run = |tasks: &[Task]| -> Result<Vec<Vec<f64>>> {
        let problems: Vec<Problem> = tasks.iter().map(Task::problem).collect();
        let decisions = svm::decide(&problems, threads, progress, stop)?;
        for found in &decisions {
            solver.residual = solver.residual.max(found.residual);
            solver.unconverged += found.unconverged as u64;
        }
        Ok(tasks
            .iter()
            .zip(&decisions)
            .map(|(task, found)| task.top1(found))
            .collect())
    };
    let (tried, scores): (Vec<Vec<f64>>, Vec<Vec<f64>>) = match choose {
        Choose::Test => {
            let tasks: Vec<Task> = splits
                .iter()
                .map(|s| Task::new(set, &space, &s.train, &s.test, Kind::Test, &numbers))
                .collect();
            let tried = run(&tasks)?;
            (
                tried.clone(),
                tried.iter().map(|tried| vec![tried[best(tried)]]).collect(),
            )
        }
        Choose::Val(share) => {
            let held: Vec<(Vec<usize>, Vec<usize>)> = splits
                .iter()
                .map(|split| hold_out(set, split, *share, work.seed))
                .collect::<Result<_>>()?;
            let first: Vec<Task> = held
                .iter()
                .map(|(fit, held)| Task::new(set, &space, fit, held, Kind::Train, &numbers))
                .collect();
            let tried = run(&first)?;
            let second: Vec<Task> = splits
                .iter()
                .zip(&tried)
                .map(|(split, tried)| {
                    Task::new(
                        set,
                        &space,
                        &split.train,
                        &split.test,
                        Kind::Test,
                        &numbers[best(tried)..][..1],
                    )
                })
                .collect();
            (tried, run(&second)?)
        }
    };

    let folds = splits
        .iter()
        .zip(tried)
        .zip(scores)
        .map(|((split, tried), score)| FoldResult {
            name: split.name.clone(),
            value: score[0],
            cost: Some(costs[best(&tried)].to_string()),
            tried: costs.iter().map(Exact::to_string).zip(tried).collect(),
            train: split.train.len() as u64,
            test: split.test.len() as u64,
        });
    Ok(Scores {
        folds: folds.collect(),
        solver,
    })
}

impl<'a> Task<'a> {
    /// Fit on `train`, ask about `test` with its rows of this kind, at these costs.
    fn new(
        set: &'a FeatureSet,
        space: &'a Space,
        train: &[usize],
        test: &[usize],
        kind: Kind,
        costs: &[f64],
    ) -> Self {
        let rows_of = |features: &Features, wanted: &[usize]| -> Vec<usize> {
            let mut is_wanted = vec![false; set.samples.len()];
            wanted.iter().for_each(|sample| is_wanted[*sample] = true);
            let owners = features.samples.iter().enumerate();
            owners
                .filter(|(_, sample)| is_wanted[**sample])
                .map(|(row, _)| row)
                .collect()
        };
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

    /// The share of the samples asked about whose class is found, in percent, for each cost.
    fn top1(&self, found: &Decisions) -> Vec<f64> {
        let of_cost = |by_class: &Vec<Vec<f64>>| {
            // Sums do as well as means: the values of a sample are equally many for all classes.
            let mut sums = vec![vec![0.0; by_class.len()]; self.set.samples.len()];
            for (class, values) in by_class.iter().enumerate() {
                for (row, value) in self.test_rows.iter().zip(values) {
                    sums[self.asked.0.samples[*row]][class] += value;
                }
            }
            let is_right =
                |sample: &&usize| best(&sums[**sample]) == self.set.labels[**sample] as usize;
            100.0 * self.test.iter().filter(is_right).count() as f64 / self.test.len() as f64
        };
        found.values.iter().map(of_cost).collect()
    }
}

/// The position of the highest value, the first of equals.
fn best(values: &[f64]) -> usize {
    (1..values.len()).fold(
        0,
        |best, at| if values[at] > values[best] { at } else { best },
    )
}

/// The splits that are scored: fold k is tested in split k, and all other samples train but those that split files leave out. Samples without rows, which could not
/// be read, take no part.
fn splits(set: &FeatureSet) -> Result<Vec<Split>> {
    let with_rows = |features: &Features| {
        let mut has_rows = vec![false; set.samples.len()];
        features
            .samples
            .iter()
            .for_each(|sample| has_rows[*sample] = true);
        has_rows
    };
    let (can_train, can_test) = (with_rows(&set.train), with_rows(&set.test));
    let split = |number: u32| {
        let of = |can: &[bool], wanted: Part| -> Vec<usize> {
            let samples = 0..set.samples.len();
            samples
                .filter(|s| can[*s] && part(set.folds[*s], number) == wanted)
                .collect()
        };
        Split {
            name: if set.splits == 1 {
                "test".to_owned()
            } else {
                number.to_string()
            },
            train: of(&can_train, Part::Train),
            test: of(&can_test, Part::Test),
        }
    };
    let splits: Vec<Split> = (1..=set.splits).map(split).collect();
    match splits
        .iter()
        .position(|split| split.test.is_empty() || split.train.is_empty())
    {
        None => Ok(splits),
        Some(at) => {
            let which = if splits[at].test.is_empty() {
                "tests"
            } else {
                "trains"
            };
            Err(wrong(
                set,
                format!(
                    "no usable sample {which} in split {} of {}",
                    at + 1,
                    set.splits
                ),
                "check the `fold` or `split` column of its CSV, and `splits` of the experiment's data declaration",
            ))
        }
    }
}

/// Fails where a classifier cannot be fitted: each class needs a training sample, and there must be two classes.
fn check_classes(set: &FeatureSet, split: &Split) -> Result<()> {
    let mut counts = vec![0; set.classes.len()];
    split
        .train
        .iter()
        .for_each(|sample| counts[set.labels[*sample] as usize] += 1);
    if counts.len() < 2 {
        return Err(wrong(
            set,
            format!("{} class; a classifier needs two", counts.len()),
            "check its label column, or that its class folders hold usable files",
        ));
    }
    match counts.iter().position(|count| *count == 0) {
        None => Ok(()),
        Some(class) => Err(wrong(
            set,
            format!(
                "split {}: no usable training sample of class `{}`",
                split.name, set.classes[class]
            ),
            "spread each class over the folds, or take the class out of the data set",
        )),
    }
}

/// Fails on features that are no numbers, such as those of a network whose weights have become NaN.
fn check_values(set: &FeatureSet) -> Result<()> {
    for features in [&set.train, &set.test] {
        if let Some(at) = features.values.iter().position(|value| !value.is_finite()) {
            let sample = &set.samples[features.samples[at / set.width]];
            return Err(wrong(
                set,
                format!("the features of `{sample}` are not finite"),
                "the backbone's weights have diverged: lower `lr_b`, and train again",
            ));
        }
    }
    Ok(())
}

/// Splits the training samples: of each class at random `share` of the samples, rounded, at least one, are held out.
fn hold_out(
    set: &FeatureSet,
    split: &Split,
    share: Exact,
    seed: u64,
) -> Result<(Vec<usize>, Vec<usize>)> {
    let mut is_held = vec![false; set.samples.len()];
    for (class, name) in set.classes.iter().enumerate() {
        let is_member = |sample: &usize| set.labels[*sample] as usize == class;
        let mut members: Vec<usize> = split.train.iter().copied().filter(is_member).collect();
        if members.len() < 2 {
            return Err(wrong(
                set,
                format!(
                    "split {}: one training sample of class `{name}`, so none can be held out",
                    split.name
                ),
                "choose the cost with `split: test`, or use more samples",
            ));
        }
        let key = Key::at(seed, &format!("held-out/{}/{name}", split.name));
        key.stream().shuffle(&mut members);
        let count = (share.to_f64() * members.len() as f64).round() as usize;
        members.truncate(count.clamp(1, members.len() - 1));
        members.iter().for_each(|sample| is_held[*sample] = true);
    }
    Ok(split.train.iter().partition(|sample| !is_held[**sample]))
}

fn wrong(set: &FeatureSet, message: String, help: &str) -> Error {
    Error::Data {
        name: set.data.clone(),
        message,
        help: help.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use compiler::plan::StageId;

    /// Twelve samples of three classes in folds 1 and 2, two rows each. A row is its class's unit vector, a little of the others,
    /// and for the samples `odd` the unit vector of the next class.
    fn set(odd: &[usize]) -> FeatureSet {
        let rows = |shift: f32| {
            let mut features = Features::default();
            for row in 0..24 {
                let (sample, part) = (row / 2, row % 2);
                let class = (sample % 3 + usize::from(odd.contains(&sample))) % 3;
                let noise = 0.01 * ((sample * 7 + part * 3) % 5) as f32 + shift;
                features.samples.push(sample);
                let unit = |k: usize| if k == class { 1.0 } else { noise };
                features.values.extend((0..3).map(unit));
            }
            features
        };
        FeatureSet {
            data: "toy".to_owned(),
            splits: 2,
            classes: ["x", "y", "z"].map(str::to_owned).to_vec(),
            samples: (0..12).map(|i| format!("{i}.mp4")).collect(),
            labels: (0..12).map(|i| i % 3).collect(),
            folds: (0..12).map(|i| i / 6 + 1).collect(),
            width: 3,
            train: rows(0.0),
            test: rows(0.02),
        }
    }

    fn work(choose: Choose) -> ScoreWork {
        ScoreWork {
            features: StageId("0".repeat(64)),
            beside: vec![],
            head: Head::Svm {
                costs: vec![Exact::whole(1), Exact::new(1, 100), Exact::whole(1)],
                choose,
            },
            score: Score::Top1,
            seed: 3,
        }
    }

    fn run(set: &FeatureSet, choose: Choose) -> Result<Scores> {
        score(
            set,
            &work(choose),
            2,
            &mut |_, _| (),
            &AtomicBool::new(false),
        )
    }

    fn message(set: &FeatureSet, choose: Choose) -> String {
        run(set, choose).unwrap_err().to_string()
    }

    #[test]
    fn each_fold_is_tested_by_machines_of_the_others() {
        // Samples 7 and 8 of fold 2 look like their neighbours' class: 4 of 6 right there, all 6 in fold 1, whose machines
        // see four good rows of each class against two bad ones.
        let scores = run(&set(&[7, 8]), Choose::Test).unwrap();
        let values: Vec<f64> = scores.folds.iter().map(|fold| fold.value).collect();
        assert_eq!(
            scores
                .folds
                .iter()
                .map(|f| f.name.as_str())
                .collect::<Vec<_>>(),
            ["1", "2"]
        );
        assert!((values[1] - 400.0 / 6.0).abs() < 1e-9, "{values:?}");
        assert_eq!((scores.folds[0].train, scores.folds[0].test), (6, 6));
        let costs: Vec<&str> = scores.folds[1]
            .tried
            .iter()
            .map(|(cost, _)| cost.as_str())
            .collect();
        assert_eq!(costs, ["1/100", "1"]);
        assert_eq!(scores.solver.unconverged, 0);
        assert_eq!(run(&set(&[]), Choose::Test).unwrap().folds[1].value, 100.0);
    }

    #[test]
    fn the_rows_of_a_sample_are_averaged() {
        let mut set = set(&[]);
        // The first row of sample 6 points a little to the wrong class, its second clearly to the right one.
        set.test.values[36..42].copy_from_slice(&[0.4, 0.6, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(run(&set, Choose::Test).unwrap().folds[1].value, 100.0);
        set.test.values[36..42].copy_from_slice(&[0.0, 1.0, 0.0, 0.6, 0.4, 0.0]);
        assert!(run(&set, Choose::Test).unwrap().folds[1].value < 100.0);
    }

    #[test]
    fn held_out_samples_choose_the_cost_and_then_train() {
        let val = Choose::Val(Exact::new(1, 4));
        let scores = run(&set(&[7]), val).unwrap();
        assert_eq!(scores, run(&set(&[7]), val).unwrap());
        assert_eq!(scores.folds[0].train, 6);
        let split = Split {
            name: "1".to_owned(),
            train: (6..12).collect(),
            test: (0..6).collect(),
        };
        let (fit, held) = hold_out(&set(&[]), &split, Exact::new(1, 4), 3).unwrap();
        assert_eq!((fit.len(), held.len()), (3, 3));
        let mut classes: Vec<usize> = held.iter().map(|sample| sample % 3).collect();
        classes.sort_unstable();
        assert_eq!(classes, [0, 1, 2]);
    }

    #[test]
    fn what_cannot_be_scored_is_said() {
        let good = set(&[]);
        let one_class = FeatureSet {
            labels: vec![0; 12],
            classes: vec!["x".to_owned()],
            ..good.clone()
        };
        assert_eq!(
            message(&one_class, Choose::Test),
            "data set `toy`: 1 class; a classifier needs two"
        );
        let mut missing = good.clone();
        missing
            .folds
            .iter_mut()
            .step_by(3)
            .for_each(|fold| *fold = 2);
        assert_eq!(
            message(&missing, Choose::Test),
            "data set `toy`: split 2: no usable training sample of class `x`"
        );
        let empty = FeatureSet {
            splits: 3,
            ..good.clone()
        };
        assert_eq!(
            message(&empty, Choose::Test),
            "data set `toy`: no usable sample tests in split 3 of 3"
        );
        let mut diverged = good.clone();
        diverged.test.values[7] = f32::NAN;
        assert_eq!(
            message(&diverged, Choose::Test),
            "data set `toy`: the features of `1.mp4` are not finite"
        );
        let mut single = good;
        single.folds = (0..12).map(|i| if i < 3 { 1 } else { 2 }).collect();
        let alone = message(&single, Choose::Val(Exact::new(1, 4)));
        assert_eq!(
            alone,
            "data set `toy`: split 2: one training sample of class `x`, so none can be held out"
        );
    }
}
