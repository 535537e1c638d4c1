//! Which samples of a labelled data set train and which test, split by split, and what must hold for a classifier.

use super::feature_set::{FeatureSet, Features};
use crate::augment::Key;
use crate::data::manifest::splits::{Part, part};
use crate::error::{Error, Result};
use compiler::hir::Choose;
use compiler::units::Exact;

/// One split: which samples train, which test.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// Its number, or `test` where there is one.
    pub name: String,
    /// Samples with training rows.
    pub train: Vec<usize>,
    /// Samples with test rows.
    pub test: Vec<usize>,
}

/// The splits that are scored: fold k is tested in split k, and all other samples train but those that split files leave out. Samples
/// without rows, which could not be read, take no part.
///
/// # Errors
/// A split without samples on one side.
pub fn splits(set: &FeatureSet) -> Result<Vec<Split>> {
    let with_rows = |features: &Features| {
        let mut has_rows = vec![false; set.samples.len()];
        features
            .samples
            .iter()
            .for_each(|sample| has_rows[*sample] = true);
        has_rows
    };
    splits_of(set, &with_rows(&set.train), &with_rows(&set.test))
}

/// The same of the samples that can train, and of those that can be tested.
///
/// # Errors
/// A split without samples on one side.
pub fn splits_of(set: &FeatureSet, can_train: &[bool], can_test: &[bool]) -> Result<Vec<Split>> {
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
            train: of(can_train, Part::Train),
            test: of(can_test, Part::Test),
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

/// Fails where the samples of a split cannot be told apart: each class needs a training sample, and there must be two classes.
pub fn check_classes(set: &FeatureSet, split: &Split) -> Result<()> {
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
pub fn check_values(set: &FeatureSet) -> Result<()> {
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

/// Fails where all training rows are the same: a classifier has nothing to go by, and the nearest neighbours of each sample would be those
/// that come first in the data set.
pub fn check_varied(set: &FeatureSet) -> Result<()> {
    let mut rows = set.train.values.chunks(set.width.max(1));
    let first = rows.next();
    if set.train.samples.len() > 1 && rows.all(|row| Some(row) == first) {
        return Err(wrong(
            set,
            "the features of all training samples are the same, so that nothing tells one from another".to_owned(),
            "the backbone has collapsed, or its weights are all zero: look at the curves of its training, or take the state of an earlier \
             `checkpoint`",
        ));
    }
    Ok(())
}

/// Splits the training samples into those to fit on and those to choose by: of each class at random `share` of the samples, rounded,
/// at least one, are held out.
///
/// # Errors
/// A class of one training sample; `what` is chosen by them.
pub fn hold_out(
    set: &FeatureSet,
    split: &Split,
    share: Exact,
    seed: u64,
    what: &str,
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
                &format!("choose {what} with `split: test`, or use more samples"),
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

/// The samples to fit on and those to choose by, of each way in which `choose` parts the training samples of the split that has this
/// position: one of samples held out, one for each fold, none where the test samples choose.
///
/// The folds of the data set are its other splits: samples that train here and are tested there choose, and those that train in both are
/// fitted. So groups that it keeps together stay together, and the test samples of the split have no part in the choice.
///
/// # Errors
/// As [`hold_out`]; a fold without samples on one side, or without a class to fit.
pub fn parts(
    set: &FeatureSet,
    (at, split): (usize, &Split),
    choose: Choose,
    seed: u64,
    what: &str,
) -> Result<Vec<(Vec<usize>, Vec<usize>)>> {
    let folds = match choose {
        Choose::Test => return Ok(vec![]),
        Choose::Val(share) => return Ok(vec![hold_out(set, split, share, seed, what)?]),
        Choose::Folds(None) => other_splits(set, at as u32 + 1, split),
        Choose::Folds(Some(count)) => drawn_folds(set, split, count, seed),
    };
    if folds.is_empty() {
        return Err(wrong(
            set,
            "it has one split, and no other folds to choose by".to_owned(),
            &format!("choose {what} with `split: folds(5)` or `val(20%)`"),
        ));
    }
    for (name, (fit, held)) in &folds {
        let inner = Split {
            name: format!("{} without fold {name}", split.name),
            train: fit.clone(),
            test: held.clone(),
        };
        if held.is_empty() {
            return Err(wrong(
                set,
                format!(
                    "split {}: fold {name} has no training sample to choose by",
                    split.name
                ),
                &format!("choose {what} with `split: folds(5)` or `val(20%)`"),
            ));
        }
        check_classes(set, &inner)?;
    }
    Ok(folds.into_iter().map(|(_, parts)| parts).collect())
}

/// A fold by its number: the samples to fit on, and those to choose by.
type Fold = (u32, (Vec<usize>, Vec<usize>));

/// The folds that the other splits make of the training samples of split `number`.
fn other_splits(set: &FeatureSet, number: u32, split: &Split) -> Vec<Fold> {
    let of = |other: u32, wanted: Part| -> Vec<usize> {
        let is_wanted = |sample: &usize| part(set.folds[*sample], other) == wanted;
        split.train.iter().copied().filter(is_wanted).collect()
    };
    let others = (1..=set.splits).filter(|other| *other != number);
    others
        .map(|other| (other, (of(other, Part::Train), of(other, Part::Test))))
        .collect()
}

/// So many folds of the training samples, each with its share of each class.
fn drawn_folds(set: &FeatureSet, split: &Split, count: u32, seed: u64) -> Vec<Fold> {
    let mut fold_of = vec![0; set.samples.len()];
    // The first fold of a class is the one behind the last of the class before, so that all become of one size.
    let mut next = 0;
    for (class, name) in set.classes.iter().enumerate() {
        let is_member = |sample: &usize| set.labels[*sample] as usize == class;
        let mut members: Vec<usize> = split.train.iter().copied().filter(is_member).collect();
        let key = Key::at(seed, &format!("folds/{}/{name}", split.name));
        key.stream().shuffle(&mut members);
        for sample in members {
            fold_of[sample] = next % count + 1;
            next += 1;
        }
    }
    let fold = |number: u32| -> Fold {
        let parts = split
            .train
            .iter()
            .partition(|sample| fold_of[**sample] != number);
        (number, parts)
    };
    (1..=count).map(fold).collect()
}

/// The rows of these samples, in order.
pub fn rows_of(features: &Features, samples: &[usize]) -> Vec<usize> {
    let most = features.samples.iter().chain(samples).max();
    let mut is_wanted = vec![false; most.map_or(0, |most| most + 1)];
    samples.iter().for_each(|sample| is_wanted[*sample] = true);
    let owners = features.samples.iter().enumerate();
    owners
        .filter(|(_, sample)| is_wanted[**sample])
        .map(|(row, _)| row)
        .collect()
}

/// What is wrong with a data set.
pub fn wrong(set: &FeatureSet, message: String, help: &str) -> Error {
    Error::Data {
        name: set.data.clone(),
        message,
        help: help.to_owned(),
    }
}
