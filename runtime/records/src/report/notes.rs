//! What is worth saying under a table: reasons, folds, clips that were left out, mixed environments.

use crate::record::{ClipCounts, Environment, FoldResult, ScoreResult};
use compiler::counted;
use compiler::hir::{Clips, FeatureStep, Score};
use compiler::plan::{Plan, ScoreWork, Work};
use std::collections::{BTreeMap, BTreeSet};

/// The most folds of a score that are named for want of a class.
const MOST_FOLDS: usize = 3;

/// These classes in a few words; `None` without any.
fn of_classes(classes: &BTreeSet<String>) -> Option<String> {
    let all: Vec<String> = classes.iter().map(|name| format!("`{name}`")).collect();
    match all.as_slice() {
        [] => None,
        [class] => Some(format!("class {class}")),
        [first, second, ..] => Some(format!(
            "{} classes, {first} and {second} among them; result.json names all",
            all.len()
        )),
    }
}

/// What R@k looks at.
#[derive(Clone, Copy)]
pub(super) struct Gallery {
    k: u32,
    /// Rows of features of each training sample.
    rows: u64,
}

/// What this score looks at where it is a retrieval.
pub(super) fn gallery(plan: &Plan, score: &ScoreWork) -> Option<Gallery> {
    let Score::Recall(k) = score.score else {
        return None;
    };
    let Work::Extract(work) = &plan.stage(&score.features)?.work else {
        return None;
    };
    let (Clips::Random(clips) | Clips::Uniform(clips) | Clips::UniformWithin(clips, _)) =
        work.eval.train;
    let is_mean = work.eval.features.contains(&FeatureStep::MeanClips);
    Some(Gallery {
        k,
        rows: if is_mean { 1 } else { u64::from(clips) },
    })
}

/// What is worth saying under a table.
#[derive(Default)]
pub(super) struct Notes {
    reasons: Vec<String>,
    folds: BTreeMap<String, BTreeSet<usize>>,
    /// Fits that ended above their tolerance, by score.
    unconverged: BTreeMap<String, u64>,
    /// Classes without a test sample in any fold, by score.
    untested: BTreeMap<String, BTreeSet<String>>,
    /// The same of single folds, by their place and name.
    untested_in: BTreeMap<String, BTreeMap<(usize, String), BTreeSet<String>>>,
    /// Galleries of no more rows than a retrieval looks at: k, and how many rows, by score.
    whole: BTreeMap<String, (u32, BTreeSet<u64>)>,
    environments: BTreeSet<String>,
    /// How many files were left out, of each result.
    skipped: BTreeSet<u64>,
    undecodable: BTreeSet<String>,
    /// Why numbers are not there yet, and how many of them.
    missing: BTreeMap<String, usize>,
}

impl Notes {
    /// The number of this reason, from 1.
    pub(super) fn reason(&mut self, reason: &str) -> usize {
        let known = self.reasons.iter().position(|other| other == reason);
        known.unwrap_or_else(|| {
            self.reasons.push(reason.to_owned());
            self.reasons.len() - 1
        }) + 1
    }

    /// A number is not there yet for this reason.
    pub(super) fn missing(&mut self, reason: &str) {
        *self.missing.entry(reason.to_owned()).or_default() += 1;
    }

    /// A result that was read.
    pub(super) fn seen(&mut self, environment: &Environment, clips: &ClipCounts) {
        self.environments.insert(environment.numeric());
        self.skipped.insert(clips.skipped);
        self.undecodable.extend(
            clips
                .undecodable
                .iter()
                .map(|(path, _)| path.display().to_string()),
        );
    }

    /// A score of this column that was read; of a retrieval with its gallery.
    pub(super) fn scored(&mut self, column: &str, gallery: Option<Gallery>, result: &ScoreResult) {
        let folds = self.folds.entry(column.to_owned()).or_default();
        folds.insert(result.folds.len());
        let names =
            |fold: &FoldResult| -> BTreeSet<String> { fold.untested.iter().cloned().collect() };
        let mut untested = result.folds.iter().map(names);
        if let Some(first) = untested.next() {
            let never = untested.fold(first, |known, of| &known & &of);
            let of_folds = self.untested_in.entry(column.to_owned()).or_default();
            for (at, fold) in result.folds.iter().enumerate() {
                let own = &names(fold) - &never;
                let known = of_folds.entry((at, fold.name.clone())).or_default();
                known.extend(own);
            }
            let known = self.untested.entry(column.to_owned()).or_default();
            known.extend(never);
        }
        if let Some(Gallery { k, rows }) = gallery {
            let sizes = result.folds.iter().map(|fold| fold.train * rows);
            let whole = sizes.filter(|size| *size <= u64::from(k));
            let known = self.whole.entry(column.to_owned());
            known.or_insert((k, BTreeSet::new())).1.extend(whole);
        }
        let unconverged = result
            .solver
            .as_ref()
            .map_or(0, |solver| solver.unconverged);
        if unconverged > 0 {
            *self.unconverged.entry(column.to_owned()).or_default() += unconverged;
        }
    }

    /// All of it, a sentence each, below a text: what is marked there comes first.
    pub(super) fn in_words(mut self, toy: bool) -> Vec<String> {
        let mut notes: Vec<String> = (1..)
            .zip(std::mem::take(&mut self.reasons))
            .map(|(i, reason)| format!("[{i}] {reason}"))
            .collect();
        if toy {
            notes.push(
                "toy: synthetic data and small networks, not comparable with published numbers"
                    .to_owned(),
            );
        }
        notes.extend(self.beside_reasons());
        notes
    }

    /// The same for a page, whose cells say their reasons themselves and which says once that it is of a toy run.
    pub(super) fn beside_reasons(self) -> Vec<String> {
        let mut notes = vec![];
        for (column, counts) in self.folds {
            if let Some(most) = counts.last().filter(|count| **count > 1) {
                notes.push(format!("{column}: mean of {most} folds"));
            }
        }
        for (column, classes) in self.untested {
            let none = of_classes(&classes).map(|all| format!("{column}: no test sample of {all}"));
            notes.extend(none);
        }
        for (column, folds) in self.untested_in {
            let said = folds.iter().filter_map(|((_, fold), classes)| {
                let all = of_classes(classes)?;
                Some(format!("{column}: fold {fold} has no test sample of {all}"))
            });
            let said: Vec<String> = said.collect();
            notes.extend(said.iter().take(MOST_FOLDS).cloned());
            if let Some(more @ 1..) = said.len().checked_sub(MOST_FOLDS) {
                notes.push(format!(
                    "{column}: {} lack a class too; result.json names them",
                    counted(more, "more fold")
                ));
            }
        }
        for (column, (k, sizes)) in self.whole {
            let Some((least, most)) = sizes.first().zip(sizes.last()) else {
                continue;
            };
            let (galleries, them) = match least == most {
                true => (
                    format!("the gallery has {}", counted(*most as usize, "row")),
                    "it",
                ),
                false => (format!("galleries have {least} to {most} rows"), "them"),
            };
            notes.push(format!(
                "{column}: {galleries}, so R@{k} is 100 for every class that is in {them}"
            ));
        }
        for (column, fits) in self.unconverged {
            notes.push(format!(
                "{column}: {fits} fits ended above their tolerance; result.json says how far"
            ));
        }
        if let Some(most) = self.skipped.last().filter(|most| **most > 0) {
            let (up_to, of_each) = match self.skipped.len() {
                1 => ("", ""),
                _ => ("up to ", " in one number or another"),
            };
            notes.push(format!(
                "{up_to}{most} files were left out{of_each} as too short or for want of a stream; result.json counts them"
            ));
        }
        if !self.undecodable.is_empty() {
            notes.push(format!(
                "{} files could not be decoded; result.json names them",
                self.undecodable.len()
            ));
        }
        if self.environments.len() > 1 {
            let all: Vec<String> = self.environments.into_iter().collect();
            notes.push(format!(
                "the numbers come from {} environments: {}",
                all.len(),
                all.join("; ")
            ));
        }
        if !self.missing.is_empty() {
            let missing = self.missing.into_iter();
            let reasons: Vec<String> = missing
                .map(|(reason, count)| format!("{reason} ({count})"))
                .collect();
            notes.push(format!("no number yet: {}", reasons.join(", ")));
        }
        notes
    }
}
