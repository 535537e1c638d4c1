//! Full finetuning (App. E.2, Table S11): a pretrained backbone is trained on with a linear layer, and names the classes of test samples.
//!
//! Behind the last convolution stand a pool over the whole map, dropout, and a linear layer with orthogonal weights and biases at zero, as
//! in the released code. Every split is a training of its own from the same pretrained weights: its epochs go through the training samples
//! in orders of their own, each time with another random clip of a sample, augmented. A test sample's scores are the mean of the softmax
//! over its clips; the class of the highest is its own, the first of equals.
//!
//! What is scored are the weights of the last epoch; or those of the best, chosen on the test samples as the released code does; or, where
//! it is chosen on held-out samples, those of a second training on all samples, which ends with that epoch.
//!
//! A finetuning that is interrupted goes on from its newest resume point: trainings that are finished are not trained again, and on the
//! CPU it comes to the same, bit for bit.

mod course;
#[cfg(test)]
mod tests;
mod tuning;

pub use course::{EpochMetrics, Part};
pub use tuning::{Stepped, Tuning};

use super::feature_set::FeatureSet;
use super::features::{self, Trained};
use super::heads::{Chosen, Judged, Outcome, share};
use super::splits::{Split, check_classes, hold_out, splits_of, wrong};
use crate::data::batch::{Batch, Batches};
use crate::data::loader::{self, Loader};
use crate::data::prefetch::Prefetch;
use crate::data::reader::{self, Read, Reader, Role};
use crate::data::source::ClipSource;
use crate::error::{Error, Result};
use crate::train::on_device;
use compiler::hir::{self, Choose, Head, Keep, Score};
use compiler::plan::{self, StageId};
use course::{Course, Found};
use records::record::ClipCounts;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tch::Device;

/// The way out of a finetuning that diverges.
const LOWER: &str = "lower its `lr`, or finetune what was pretrained with `precision = fp32`";

/// How a finetuning is done on this machine: nothing here changes what it comes to, up to the device's arithmetic.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Where the networks are.
    pub device: Device,
    /// How the data are read.
    pub reading: loader::Options,
    /// Of the samples that are asked about, the first of each class alone.
    pub few: bool,
    /// Time between two resume points; 0 leaves one after each step.
    pub save_every: Duration,
    /// Steps of this process after which it ends as if it had been stopped.
    pub pause_after: Option<u64>,
    /// Set to end it at the next step or sample, with a resume point.
    pub stop: &'a AtomicBool,
}

/// Who is told how a finetuning goes.
pub trait Observer {
    /// So many of all steps are done; which training it is.
    fn step(&mut self, done: u64, all: u64, training: &str);
    /// Something that stays to be read.
    fn say(&mut self, line: &str);
}

/// What a finetuning came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuned {
    /// The samples of the data set, without features.
    pub set: FeatureSet,
    /// Its splits in order, and what came of each.
    pub splits: Vec<(Split, Judged)>,
    /// Clips that could not be used.
    pub clips: ClipCounts,
    /// Seconds that it took, over all processes.
    pub seconds: f64,
}

/// A training: one of the two of a split, or its only one.
struct Round {
    split: usize,
    part: Part,
    /// Whether each sample trains.
    trains: Vec<bool>,
    /// The samples that are asked about.
    asked: Vec<u32>,
    /// After each epoch, or after the last one alone.
    is_watched: bool,
}

/// What stays the same over all trainings.
struct Work<'a> {
    work: &'a plan::Finetune,
    recipe: &'a hir::Finetune,
    model: Trained<'a>,
    source: &'a Arc<dyn ClipSource>,
    options: &'a Options<'a>,
    set: FeatureSet,
    splits: Vec<Split>,
    rounds: Vec<Round>,
}

/// Finetunes as the stage `work` says, from the newest resume point in `folder` on, where `metrics.jsonl` has a line for each epoch.
///
/// # Errors
/// A split that cannot be trained on or tested, with what is missing; a loss that is no number; data that cannot be read;
/// [`Error::Interrupted`], with a resume point.
pub fn finetune(
    (stage, work): (&StageId, &plan::Finetune),
    model: Trained,
    source: &Arc<dyn ClipSource>,
    folder: &Path,
    options: &Options,
    observer: &mut dyn Observer,
) -> Result<Tuned> {
    let work = Work::new(work, model, source, options)?;
    let mut course = Course::take_up(folder, stage, &mut |line| observer.say(line))?;
    work.say_where(&course, observer);
    let begun = course.at.total;
    let start = Instant::now();
    while course.at.round < work.rounds.len() {
        let trained = work.train(&mut course, observer);
        course.at.total = begun + start.elapsed().as_secs_f64();
        match trained? {
            (_, Ok(())) => {
                work.close(&mut course)?;
                course.save(None)?;
            }
            (tuning, Err(error)) => {
                // As far as that can be done: what ended it is what counts.
                let _ = tuning.map(|tuning| course.save(Some(&tuning)));
                return Err(error);
            }
        }
    }
    Ok(work.tuned(course))
}

/// A training as it was left, if its state stands for a resume point, and why.
type Left = (Option<Tuning>, Result<()>);

impl<'a> Work<'a> {
    fn new(
        work: &'a plan::Finetune,
        model: Trained<'a>,
        source: &'a Arc<dyn ClipSource>,
        options: &'a Options<'a>,
    ) -> Result<Self> {
        let (Head::Finetune(recipe), Score::Top1) = (&work.eval.head, work.eval.score) else {
            return Err(Error::Unsupported {
                message: "a finetuning ends in a linear layer and is scored by `top1`".to_owned(),
            });
        };
        let set = features::labelled(&work.eval.data, source.as_ref())?;
        let usable = reader::usable(source.as_ref(), &work.eval);
        let splits = splits_of(&set, &usable, &usable)?;
        let mut rounds = vec![];
        for (at, split) in splits.iter().enumerate() {
            check_classes(&set, split)?;
            let mut round = |part, train: &[usize], asked: &[usize], is_watched| {
                let asked = match options.few {
                    true => first_of_each(&set, asked),
                    false => asked.to_vec(),
                };
                let mut trains = vec![false; set.samples.len()];
                train.iter().for_each(|sample| trains[*sample] = true);
                rounds.push(Round {
                    split: at,
                    part,
                    trains,
                    asked: asked.into_iter().map(|sample| sample as u32).collect(),
                    is_watched,
                });
                enough(&set, split, train, recipe.bs)
            };
            match recipe.keep {
                Keep::Last => round(Part::Fit, &split.train, &split.test, false)?,
                Keep::Best(Choose::Test) => round(Part::Fit, &split.train, &split.test, true)?,
                Keep::Best(Choose::Folds(_)) => {
                    return Err(Error::Unsupported {
                        message: "a finetuning chooses its epoch by held-out samples, not by folds"
                            .to_owned(),
                    });
                }
                Keep::Best(Choose::Val(part)) => {
                    let (others, held) = hold_out(&set, split, part, work.seed, "the epoch")?;
                    round(Part::Choose, &others, &held, true)?;
                    round(Part::Fit, &split.train, &split.test, false)?;
                }
            }
        }
        Ok(Self {
            work,
            recipe,
            model,
            source,
            options,
            set,
            splits,
            rounds,
        })
    }

    /// Takes the training under way to its end.
    ///
    /// # Errors
    /// Only where there is no state to save.
    fn train(&self, course: &mut Course, observer: &mut dyn Observer) -> Result<Left> {
        let round = &self.rounds[course.at.round];
        let per_epoch = self.recipe.steps_per_epoch();
        let epochs = course
            .at
            .chosen
            .as_ref()
            .map_or(self.recipe.ep, |chosen| chosen.0);
        let mut tuning = Tuning::new(
            self.model.settings,
            &self.work.eval.uses,
            self.recipe,
            self.set.classes.len(),
            self.work.seed,
            self.options.device,
        )?;
        tuning.load(self.model.weights)?;
        course.bring(&tuning)?;
        let (mut batches, mut saved, mut steps) = (None, Instant::now(), 0);
        let asked = course.at.asked;
        loop {
            let written = u64::from(course.at.epochs);
            if course.at.step == per_epoch * (written + 1) || epochs == 0 {
                let epoch = course.at.epochs + u32::from(epochs > 0);
                if let Err(error) = self.end_epoch(course, &tuning, (epoch, epoch == epochs)) {
                    return Ok((Some(tuning), Err(error)));
                }
                if epoch == epochs {
                    return Ok((Some(tuning), Ok(())));
                }
            }
            let is_paused = self.options.pause_after.is_some_and(|most| steps >= most);
            if is_paused || self.options.stop.load(Ordering::Relaxed) {
                return Ok((Some(tuning), Err(Error::Interrupted)));
            }
            let start = Instant::now();
            let (batch, classes) = match self.batch(course, round, &mut batches) {
                Ok(batch) => batch,
                Err(error) => return Ok((Some(tuning), Err(error))),
            };
            let loss = match tuning.step(course.at.step, &batch, &classes) {
                Ok(Stepped::Down(loss)) => loss,
                Ok(Stepped::NotFinite(loss)) => {
                    return Ok((None, Err(self.diverged(course, loss))));
                }
                // Half of it may have been taken.
                Err(error) => return Ok((None, Err(error))),
            };
            steps += 1;
            course.at.step += 1;
            course.at.taken += 1;
            course.at.losses += loss;
            course.at.seconds += start.elapsed().as_secs_f64();
            if let Some(batches) = &batches {
                course.at.asked = asked + batches.asked();
                course.at.failed.extend(batches.replaced());
            }
            self.show(course, observer, loss);
            if saved.elapsed() >= self.options.save_every {
                course.save(Some(&tuning))?;
                saved = Instant::now();
            }
        }
    }

    /// The batch of the next step, and the classes of its samples. The first one that is asked for starts the loader.
    fn batch(
        &self,
        course: &Course,
        round: &Round,
        batches: &mut Option<Prefetch<'a>>,
    ) -> Result<(Batch, Vec<i64>)> {
        let at = &course.at;
        let batches = match batches {
            Some(batches) => batches,
            None => {
                let reading = loader::Options {
                    first_step: at.step,
                    ..self.options.reading
                };
                let takes = |clip: usize| round.trains[clip];
                let of = (&self.work.eval, self.recipe);
                let source = Arc::clone(self.source);
                let loader = Loader::of_eval(source, of, &takes, self.work.seed, &reading)?;
                let loader = loader.after(at.asked, &at.failed);
                batches.insert(Prefetch::new(loader, at.step, self.options.stop))
            }
        };
        let batch = on_device(batches.next(at.step)?, self.options.device)?;
        let class = |clip: &u32| i64::from(self.set.labels[*clip as usize]);
        let classes = batch.clips.own.iter().map(class).collect();
        Ok((batch, classes))
    }

    /// Writes an epoch down, with what is found after it where somebody asks.
    fn end_epoch(
        &self,
        course: &mut Course,
        tuning: &Tuning,
        (epoch, is_last): (u32, bool),
    ) -> Result<()> {
        let round = &self.rounds[course.at.round];
        let found = match round.is_watched || is_last {
            true => Some(self.ask(course, tuning, round)?),
            false => None,
        };
        let per_epoch = self.recipe.steps_per_epoch();
        let at = &course.at;
        let top = |k| found.as_ref().map(|outcomes| share(outcomes, k));
        let top1 = top(1);
        let line = EpochMetrics {
            split: self.splits[round.split].name.clone(),
            part: round.part,
            epoch,
            steps: at.step,
            loss: (epoch > 0).then(|| at.losses / per_epoch as f64),
            rate: tuning.rate(at.step.saturating_sub(1)),
            top1,
            top5: top(5),
            seconds: at.seconds,
        };
        course.note(line)?;
        let at = &mut course.at;
        (at.losses, at.seconds, at.epochs) = (0.0, 0.0, epoch);
        let before = at.best.as_ref().map_or(f64::NEG_INFINITY, |best| best.top1);
        if let Some((top1, outcomes)) = top1.zip(found)
            && top1 > before
        {
            at.best = Some(Found {
                epoch,
                top1,
                outcomes,
            });
        }
        Ok(())
    }

    /// What the networks find for the samples that are asked about.
    fn ask(&self, course: &mut Course, tuning: &Tuning, round: &Round) -> Result<Vec<Outcome>> {
        let mut reader = Reader::new(
            Arc::clone(self.source),
            &self.work.eval,
            Role::Test,
            round.asked.clone(),
            self.work.seed,
            &self.options.reading,
        );
        let mut outcomes = vec![];
        for read in reader.by_ref() {
            if self.options.stop.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            let Read::Views { clip, views } = read? else {
                continue;
            };
            let softmax = tuning.softmax(&views)?.f_mean_dim(0, false, None)?;
            let scores: Vec<f64> = softmax.try_into()?;
            if scores.iter().any(|score| !score.is_finite()) {
                let epoch = course.at.step / self.recipe.steps_per_epoch();
                return Err(wrong(
                    &self.set,
                    format!(
                        "split {}: the finetuning has diverged: the scores of `{}` after epoch {epoch} are not finite",
                        self.splits[round.split].name, self.set.samples[clip]
                    ),
                    LOWER,
                ));
            }
            outcomes.push(Outcome::of_scores(&self.set, clip, &scores));
        }
        course.at.failed.extend(reader.failed().clone());
        if outcomes.is_empty() {
            let split = &self.splits[round.split].name;
            return Err(wrong(
                &self.set,
                format!(
                    "split {split}: none of its {} test samples can be read",
                    round.asked.len()
                ),
                "see what `crisscross data check` says of the files",
            ));
        }
        Ok(outcomes)
    }

    /// Ends the training under way: the next one begins anew.
    fn close(&self, course: &mut Course) -> Result<()> {
        let round = &self.rounds[course.at.round];
        let split = &self.splits[round.split].name;
        let at = &mut course.at;
        let own = at
            .lines
            .iter()
            .filter(|line| line.split == *split && line.part == round.part);
        let tried = own.filter_map(|line| Some((line.epoch.to_string(), line.top1?)));
        let tried: Vec<_> = tried.filter(|_| round.is_watched).collect();
        let found = at.best.take().ok_or_else(|| Error::Unsupported {
            message: format!("split {split}: its training has ended without a score"),
        })?;
        match round.part {
            Part::Choose => at.chosen = Some((found.epoch, tried)),
            Part::Fit => {
                let tried = at.chosen.take().map_or(tried, |(_, tried)| tried);
                at.judged.push((found, tried));
            }
        }
        (at.round, at.step, at.epochs) = (at.round + 1, 0, 0);
        Ok(())
    }

    /// Says where a finetuning goes on that was interrupted.
    fn say_where(&self, course: &Course, observer: &mut dyn Observer) {
        let at = &course.at;
        let is_new = at.taken == 0 && at.lines.is_empty();
        let Some(round) = self.rounds.get(at.round).filter(|_| !is_new) else {
            return;
        };
        let epochs = at.chosen.as_ref().map_or(self.recipe.ep, |chosen| chosen.0);
        observer.say(&format!(
            "  goes on in {} {}, after step {} of {}",
            round.part.words(),
            self.splits[round.split].name,
            at.step,
            self.recipe.steps_per_epoch() * u64::from(epochs)
        ));
    }

    fn show(&self, course: &Course, observer: &mut dyn Observer, loss: f64) {
        let at = &course.at;
        let round = &self.rounds[at.round];
        let per_round = self.recipe.steps_per_epoch() * u64::from(self.recipe.ep);
        let (done, all) = (
            at.round as u64 * per_round + at.step,
            self.rounds.len() as u64 * per_round,
        );
        let name = &self.splits[round.split].name;
        let what = round.part.words();
        let epoch = at.step.div_ceil(self.recipe.steps_per_epoch());
        observer.step(
            done,
            all,
            &format!("{what} {name}, epoch {epoch}, loss {loss:.4}"),
        );
    }

    /// A loss or its gradient that are no numbers.
    fn diverged(&self, course: &Course, loss: f64) -> Error {
        let split = &self.splits[self.rounds[course.at.round].split].name;
        let what = match loss.is_finite() {
            true => format!("the gradient is not finite, where the loss is {loss}"),
            false => format!("the loss is {loss}"),
        };
        let step = course.at.step;
        wrong(
            &self.set,
            format!(
                "split {split}: the finetuning has diverged: {what} at step {step}, in epoch {}",
                step / self.recipe.steps_per_epoch() + 1
            ),
            LOWER,
        )
    }

    fn tuned(self, course: Course) -> Tuned {
        let at = course.at;
        let judged = at.judged.into_iter().map(|(found, tried)| Judged {
            outcomes: found.outcomes,
            chosen: Chosen::Epoch(found.epoch),
            tried,
        });
        let splits = self.splits.into_iter().zip(judged);
        // Samples that could not be read were not tested.
        let splits = splits.map(|(split, judged)| {
            let test = judged.outcomes.iter().map(|found| found.sample).collect();
            (Split { test, ..split }, judged)
        });
        let usable = reader::usable(self.source.as_ref(), &self.work.eval);
        let undecodable = at.failed.into_iter();
        let clips = ClipCounts {
            asked: self.set.samples.len() as u64,
            skipped: usable.iter().filter(|is_usable| !**is_usable).count() as u64,
            undecodable: undecodable
                .map(|(name, cause)| (name.into(), cause))
                .collect(),
            ..ClipCounts::default()
        };
        Tuned {
            set: self.set,
            splits: splits.collect(),
            clips,
            seconds: at.total,
        }
    }
}

/// The first of these samples of each class.
fn first_of_each(set: &FeatureSet, samples: &[usize]) -> Vec<usize> {
    let mut seen = BTreeSet::new();
    let samples = samples.iter().copied();
    samples
        .filter(|sample| seen.insert(set.labels[*sample]))
        .collect()
}

/// Fails where a batch would have a sample twice.
fn enough(set: &FeatureSet, split: &Split, train: &[usize], bs: u32) -> Result<()> {
    if train.len() >= bs as usize {
        return Ok(());
    }
    let message = format!(
        "split {}: {} samples to train on are no batch of {bs}",
        split.name,
        train.len()
    );
    Err(wrong(
        set,
        message,
        "lower `bs` of the finetuning, or use more samples",
    ))
}
