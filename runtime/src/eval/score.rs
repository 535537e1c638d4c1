//! From features to the share of test samples that are named rightly, split by split.
//!
//! In each split a head is fitted on the rows of the training samples and asked about the test samples: `heads` has a file for each.

use super::feature_set::FeatureSet;
use super::heads::{Chosen, Judged, Means, linear, neighbours, share, svm};
use super::splits::{Split, check_classes, check_values, check_varied, splits};
use crate::error::{Error, Result};
use compiler::hir::Head;
use compiler::plan::ScoreWork;
use records::predictions::Prediction;
use records::record::{FoldResult, Solver};
use std::collections::BTreeSet;

/// The folds' results and how the classifiers were fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// One for each split, in order.
    pub folds: Vec<FoldResult>,
    /// The solver of the classifiers; `None` where none has one.
    pub solver: Option<Solver>,
    /// What was found for each test sample of each split.
    pub predictions: Vec<Prediction>,
}

/// Scores `set` as `work` says; of a late fusion it holds the features of all parts.
///
/// # Errors
/// Samples that cannot be scored; [`Error::Interrupted`].
pub fn score(set: &FeatureSet, work: &ScoreWork, means: &mut Means) -> Result<Scores> {
    check_values(set)?;
    check_varied(set)?;
    let splits = splits(set)?;
    for split in &splits {
        check_classes(set, split)?;
    }
    let (judged, solver) = match &work.head {
        Head::Svm { costs, choose } => {
            let (judged, solver) = svm::judge(set, &splits, (costs, *choose), work.seed, means)?;
            (judged, Some(solver))
        }
        Head::Linear(recipe) => (linear::judge(set, &splits, recipe, work.seed, means)?, None),
        Head::Neighbours => (neighbours::judge(set, &splits, means)?, None),
        Head::Finetune(_) => {
            return Err(Error::Unsupported {
                message: "a finetuning trains its backbone on, and is no score of features"
                    .to_owned(),
            });
        }
    };
    let within = work.score.within();
    let of_splits = || splits.iter().zip(&judged);
    Ok(Scores {
        folds: of_splits()
            .map(|(split, judged)| fold(set, split, judged, within))
            .collect(),
        solver,
        predictions: of_splits()
            .flat_map(|(split, judged)| predictions(set, split, judged))
            .collect(),
    })
}

/// The result of a split: the share of its test samples whose class is among the first `within`.
pub fn fold(set: &FeatureSet, split: &Split, judged: &Judged, within: u32) -> FoldResult {
    let (cost, epoch) = match judged.chosen {
        Chosen::Nothing => (None, None),
        Chosen::Cost(cost) => (Some(cost.to_string()), None),
        Chosen::Epoch(epoch) => (None, Some(epoch)),
    };
    FoldResult {
        name: split.name.clone(),
        value: share(&judged.outcomes, within),
        cost,
        epoch,
        tried: judged.tried.clone(),
        train: split.train.len() as u64,
        test: split.test.len() as u64,
        untested: untested(set, &split.test),
    }
}

/// The classes that none of these samples is of.
fn untested(set: &FeatureSet, samples: &[usize]) -> Vec<String> {
    let tested: BTreeSet<u32> = samples.iter().map(|sample| set.labels[*sample]).collect();
    let classes = (0..).zip(&set.classes);
    let untested = classes.filter(|(class, _)| !tested.contains(class));
    untested.map(|(_, name)| name.clone()).collect()
}

/// What was found for the test samples of a split, by their names.
pub fn predictions(
    set: &FeatureSet,
    split: &Split,
    judged: &Judged,
) -> impl Iterator<Item = Prediction> {
    judged.outcomes.iter().map(|found| Prediction {
        split: split.name.clone(),
        sample: set.samples[found.sample].clone(),
        class: set.classes[set.labels[found.sample] as usize].clone(),
        predicted: set.classes[found.predicted as usize].clone(),
        rank: found.rank,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::feature_set::Features;
    use crate::eval::splits::{hold_out, parts};
    use compiler::hir::{Choose, Keep, Linear, Schedule, Score};
    use compiler::plan::StageId;
    use compiler::units::Exact;
    use std::sync::atomic::AtomicBool;
    use tch::Device;

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
                features.values.held().extend((0..3).map(unit));
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

    fn scored(set: &FeatureSet, head: Head, score: Score) -> Result<Scores> {
        let work = ScoreWork {
            features: StageId("0".repeat(64)),
            beside: vec![],
            head,
            score,
            seed: 3,
        };
        let mut means = Means {
            threads: 2,
            device: Device::Cpu,
            progress: &mut |_, _, _| (),
            stop: &AtomicBool::new(false),
        };
        super::score(set, &work, &mut means)
    }

    fn run(set: &FeatureSet, choose: Choose) -> Result<Scores> {
        let costs = vec![Exact::whole(1), Exact::new(1, 100), Exact::whole(1)];
        scored(set, Head::Svm { costs, choose }, Score::Top1)
    }

    fn linear(set: &FeatureSet, keep: Option<Keep>, lr: Exact) -> Result<Scores> {
        let recipe = Linear {
            ep: 40,
            lr: Schedule::Constant(lr),
            bs: Some(4),
            optim: None,
            drp: Some(Exact::new(1, 10)),
            keep,
        };
        scored(set, Head::Linear(Box::new(recipe)), Score::Top1)
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
        assert_eq!(scores.solver.map(|solver| solver.unconverged), Some(0));
        assert_eq!(run(&set(&[]), Choose::Test).unwrap().folds[1].value, 100.0);
    }

    #[test]
    fn the_rows_of_a_sample_are_averaged() {
        let mut set = set(&[]);
        // The first row of sample 6 points a little to the wrong class, its second clearly to the right one.
        set.test.values.held()[36..42].copy_from_slice(&[0.4, 0.6, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(run(&set, Choose::Test).unwrap().folds[1].value, 100.0);
        set.test.values.held()[36..42].copy_from_slice(&[0.0, 1.0, 0.0, 0.6, 0.4, 0.0]);
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
        let (fit, held) = hold_out(&set(&[]), &split, Exact::new(1, 4), 3, "the cost").unwrap();
        assert_eq!((fit.len(), held.len()), (3, 3));
        let mut classes: Vec<usize> = held.iter().map(|sample| sample % 3).collect();
        classes.sort_unstable();
        assert_eq!(classes, [0, 1, 2]);
    }

    /// Four folds of three samples, one of each class.
    fn in_four_folds(odd: &[usize]) -> FeatureSet {
        FeatureSet {
            splits: 4,
            folds: (0..12).map(|i| i / 3 + 1).collect(),
            ..set(odd)
        }
    }

    #[test]
    fn the_other_folds_choose_and_the_tested_one_has_no_part_in_it() {
        let split = |number: usize| Split {
            name: number.to_string(),
            train: (0..12).filter(|sample| sample / 3 + 1 != number).collect(),
            test: (0..12).filter(|sample| sample / 3 + 1 == number).collect(),
        };
        let set = in_four_folds(&[7]);
        let inner = parts(&set, (1, &split(2)), Choose::Folds(None), 3, "the cost").unwrap();
        let due = [
            ((6..12).collect(), (0..3).collect()),
            ([0, 1, 2, 9, 10, 11].to_vec(), (6..9).collect()),
            ([0, 1, 2, 6, 7, 8].to_vec(), (9..12).collect::<Vec<usize>>()),
        ];
        assert_eq!(inner, due);
        // Drawn folds have their share of each class.
        let mut drawn = parts(&set, (1, &split(2)), Choose::Folds(Some(3)), 3, "the cost").unwrap();
        for (fit, held) in &mut drawn {
            assert_eq!((fit.len(), held.len()), (6, 3));
            held.sort_by_key(|sample| sample % 3);
            assert!(
                held.iter()
                    .enumerate()
                    .all(|(class, sample)| sample % 3 == class)
            );
        }
        for choose in [Choose::Folds(None), Choose::Folds(Some(3))] {
            let found = run(&set, choose).unwrap();
            assert_eq!(found, run(&set, choose).unwrap());
            assert_eq!((found.folds[1].train, found.folds[1].test), (9, 3));
            let keep = Some(Keep::Best(choose));
            let layer = linear(&set, keep, Exact::new(1, 20)).unwrap();
            assert_eq!(layer.folds[1].tried.len(), 40);
        }
        // What is tested does not touch what is tried.
        let mut other = set.clone();
        other
            .test
            .values
            .held()
            .iter_mut()
            .for_each(|value| *value = -*value);
        let tried = |set: &FeatureSet| {
            run(set, Choose::Folds(None)).unwrap().folds[1]
                .tried
                .clone()
        };
        assert_eq!(tried(&set), tried(&other));
        let mut one = in_four_folds(&[]);
        one.splits = 1;
        assert_eq!(
            message(&one, Choose::Folds(None)),
            "data set `toy`: it has one split, and no other folds to choose by"
        );
    }

    #[test]
    fn what_was_found_is_told_of_each_test_sample() {
        let found = run(&set(&[7, 8]), Choose::Test).unwrap().predictions;
        assert_eq!(found.len(), 12);
        let of = |sample: &str| found.iter().find(|found| found.sample == sample).unwrap();
        let seven = of("7.mp4");
        assert_eq!(
            (
                seven.split.as_str(),
                seven.class.as_str(),
                seven.predicted.as_str()
            ),
            ("2", "y", "z")
        );
        assert!(seven.rank > 1 && of("1.mp4").rank == 1);
    }

    #[test]
    fn a_layer_learns_what_machines_do_and_keeps_the_epoch_that_was_asked_for() {
        let rate = Exact::new(1, 20);
        let last = linear(&set(&[]), None, rate).unwrap();
        assert_eq!(last, linear(&set(&[]), Some(Keep::Last), rate).unwrap());
        let values: Vec<f64> = last.folds.iter().map(|fold| fold.value).collect();
        assert_eq!((values, last.folds[0].epoch), (vec![100.0; 2], Some(40)));
        let best = linear(&set(&[7]), Some(Keep::Best(Choose::Test)), rate).unwrap();
        for fold in &best.folds {
            let epoch = fold.epoch.unwrap() as usize;
            assert_eq!(fold.tried.len(), 40);
            assert_eq!(fold.tried[epoch - 1], (epoch.to_string(), fold.value));
            assert!(fold.tried.iter().all(|(_, value)| *value <= fold.value));
        }
        let held = Keep::Best(Choose::Val(Exact::new(1, 2)));
        let held = linear(&set(&[]), Some(held), rate).unwrap();
        assert_eq!(held.folds[0].tried.len(), 40);
        assert!(held.solver.is_none());
        let mut large = set(&[]);
        large
            .train
            .values
            .held()
            .iter_mut()
            .for_each(|value| *value *= 1e38);
        let failed = linear(&large, None, Exact::whole(10)).unwrap_err();
        assert!(failed.to_string().contains("linear layer"), "{failed}");
        // A layer that has learned, and rows that overflow it.
        let mut far = set(&[]);
        far.test
            .values
            .held()
            .iter_mut()
            .for_each(|value| *value *= 1e38);
        let failed = linear(&far, None, Exact::whole(10)).unwrap_err();
        assert!(failed.to_string().contains("not finite"), "{failed}");
    }

    #[test]
    fn neighbours_are_scored_by_recall() {
        let set = set(&[7]);
        let recall = |k| {
            let scores = scored(&set, Head::Neighbours, Score::Recall(k)).unwrap();
            (scores.folds[0].value, scores.folds[1].value)
        };
        // Sample 7 looks like the next class and finds its own only behind all rows of that one.
        assert_eq!(recall(1).1, 500.0 / 6.0);
        assert_eq!(recall(12), (100.0, 100.0));
    }

    #[test]
    fn a_sample_is_right_whose_class_is_among_the_first_five() {
        let machines = |score| {
            let costs = vec![Exact::whole(1)];
            let choose = Choose::Test;
            let scores = scored(&set(&[7]), Head::Svm { costs, choose }, score).unwrap();
            (
                scores.folds[0].value,
                scores.folds[1].value,
                scores.predictions,
            )
        };
        let (first, second, one) = machines(Score::Top1);
        assert!(first == 100.0 && second < 100.0);
        let (first, second, five) = machines(Score::Top5);
        assert_eq!((first, second, five), (100.0, 100.0, one));
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
        let mut constant = good.clone();
        constant.train.values.held().fill(0.5);
        assert_eq!(
            message(&constant, Choose::Test),
            "data set `toy`: the features of all training samples are the same, so that nothing tells one from another"
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
        diverged.test.values.held()[7] = f32::NAN;
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
