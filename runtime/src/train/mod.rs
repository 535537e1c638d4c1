//! The training loop: a step of each pretraining for each batch, their numbers, their states.
//!
//! Pretrainings that differ in their loss alone step side by side: a batch is read, decoded and augmented once. Each has networks,
//! optimiser, numbers and folder of its own, so that what it comes to does not depend on who trains beside it.

mod capture;
mod course;
mod descent;
mod guard;
mod metrics;
mod reference;
mod room;
mod statistics;
mod training;

use crate::data::batch::Batches;
use crate::data::overlaps::Overlaps;
use crate::device;
use crate::error::{Error, Result};
use crate::ranks::Ranks;
use compiler::plan::StageId;
use serde::Serialize;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tch::Device;
pub(crate) use training::{Training, on_device};

pub use course::Course;
pub(crate) use course::stand_at;
pub use descent::{Group, descend, follow, gradients, gradients_on, groups};
pub(crate) use guard::{Guard, ends};
pub use metrics::{METRICS, StepMetrics};
pub use reference::Reference;
pub(crate) use statistics::Statistics;

/// What a training came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrainSummary {
    /// Optimiser steps taken.
    pub steps: u64,
    /// The objective before the last step; none where no step was taken.
    pub last_loss: Option<f64>,
    /// Trained parameters.
    pub parameters: u64,
    /// Seconds that its steps took, over all processes that had a part in it.
    pub seconds: f64,
    /// Seconds of them spent waiting for data, shared out among those that stepped on them.
    pub data_wait: f64,
    /// Seconds of processor time that making the batches took, for all that stepped on them together.
    pub data_cpu: f64,
    /// Samples that were made for that, those that replaced another among them.
    pub data_samples: u64,
    /// Samples per second that the loader makes where no step holds it up; `None` where nobody counted.
    pub loader_samples_per_s: Option<f64>,
    /// Files that were replaced because they could not be read, and why.
    pub replaced: BTreeMap<String, String>,
    /// How much of each other the windows of its samples covered.
    pub overlaps: Overlaps,
}

/// Who is told how trainings go.
pub trait Observer {
    /// A step is done and read: the name and the numbers of each training that took it, and the number of all steps that are to be taken.
    fn step(&mut self, lines: &[(String, StepMetrics)], steps: u64);
    /// Something that stays to be read.
    fn say(&mut self, line: &str);
    /// A training has ended before its end; others may go on.
    fn failed(&mut self, name: &str, error: &Error);
}

/// Where a training is done, and on how much.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Where the networks are.
    pub device: Device,
    /// The ranks that train it.
    pub ranks: &'a Ranks,
    /// Clips of the data set, for a loss that remembers something of each.
    pub clips: u64,
    /// Samples that go through the networks at once, of all ranks; `None`: the whole batch. The plan says which numbers are right
    /// ([`Pretrain::divisible`](compiler::plan::Pretrain::divisible)).
    pub micro_batch: Option<u32>,
}

/// How trainings are run on this machine: nothing here changes what they come to, up to the device's arithmetic.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Where the networks are.
    pub device: Device,
    /// Time between two resume points; 0 leaves one after each step.
    pub save_every: Duration,
    /// Set to end the trainings at the next step, each with a resume point. Of several ranks that of rank 0 counts.
    pub stop: &'a AtomicBool,
    /// The ranks that train together; each calls [`pretrain`] with the same courses, which have been shared.
    pub ranks: &'a Ranks,
    /// The step before which they end as if it were set, or before any behind it.
    pub pause_before: Option<u64>,
    /// The numbers of a step are read once the next one has been given to the device: see [`reads_late`].
    pub reads_late: bool,
}

/// Whether numbers are read late on this device: a GPU computes beside the host, which has the next step ready for it that way.
pub fn reads_late(device: Device) -> bool {
    device.is_cuda()
}

/// What making the batches has taken and met so far, on all ranks.
#[derive(Debug, Default)]
struct Data {
    /// Seconds of processor time.
    cpu: f64,
    /// Samples that were made.
    samples: u64,
    /// Clips that were asked for, each counted once by each rank.
    asked: u64,
    /// Files that were replaced, and why.
    replaced: BTreeMap<String, String>,
    /// How much of each other the windows covered in the steps that each training has taken.
    overlaps: BTreeMap<StageId, Overlaps>,
}

impl Data {
    /// Of this rank alone.
    fn own(batches: &dyn Batches, courses: &[Course<'_>]) -> Self {
        Self {
            cpu: batches.cpu().map_or(0.0, |cpu| cpu.as_secs_f64()),
            samples: batches.samples(),
            asked: batches.asked(),
            replaced: batches.replaced(),
            overlaps: courses.iter().map(Course::overlaps).collect(),
        }
    }

    /// Of all ranks together.
    fn of_all(batches: &dyn Batches, courses: &[Course<'_>], ranks: &Ranks) -> Result<Self> {
        let own = Self::own(batches, courses);
        let mut all = Self::default();
        let own = (own.cpu, own.samples, own.asked, own.replaced, own.overlaps);
        for (cpu, samples, asked, replaced, overlaps) in ranks.collect(own)? {
            all.cpu += cpu;
            all.samples += samples;
            all.asked += asked;
            all.replaced.extend(replaced);
            for (stage, overlaps) in overlaps {
                all.overlaps.entry(stage).or_default().add(&overlaps);
            }
        }
        Ok(all)
    }

    /// Whether enough of the files of all ranks can be read; a rank alone has judged its own after each batch.
    fn judge(&self, batches: &dyn Batches, ranks: &Ranks) -> Result<()> {
        if ranks.is_alone() || self.replaced.is_empty() {
            return Ok(());
        }
        let judged = batches.judge(self.asked, &self.replaced);
        judged.map_err(|error| match ranks.is_first() {
            true => error,
            // All ranks come to the same, and rank 0 says it.
            false => Error::Rank {
                rank: 0,
                what: format!("failed: {error}"),
                is_said: true,
            },
        })
    }
}

/// Takes all steps of the courses, side by side: each batch is asked for once. A course that was taken up farther on than the
/// others waits until they have come to it. Steps are asked for from the least [`Course::next_step`] on.
///
/// A course whose loss is no number, or whose folder cannot be written, has failed, and the others go on: [`Course::finish`]
/// says what became of each. One that libtorch has ended, for want of memory or otherwise, has a resume point before that step.
///
/// On the CPU the outcome is a function of the plan, the batches and the number of libtorch's threads, wherever it was interrupted
/// and whoever trains beside it.
///
/// Errors: of the batches, of another rank; [`Error::Interrupted`] before the next step once the stop is set. Each course that has
/// not failed by itself has a resume point then.
pub fn pretrain(
    courses: &mut [Course<'_>],
    batches: &mut dyn Batches,
    options: &Options<'_>,
    observer: &mut dyn Observer,
) -> Result<()> {
    let done = take_steps(courses, batches, options, observer);
    if matches!(done, Err(Error::Rank { .. })) {
        let _held = options.ranks.hold();
        let data = Data::own(batches, courses);
        for course in courses {
            course.note(&data);
            course.save_what_stands();
        }
    }
    done
}

fn take_steps(
    courses: &mut [Course<'_>],
    batches: &mut dyn Batches,
    options: &Options<'_>,
    observer: &mut dyn Observer,
) -> Result<()> {
    let ranks = options.ranks;
    let beside = courses.len();
    for course in courses.iter_mut() {
        course.read_late(options.reads_late);
        if device::settings().cuda_graph {
            course.capture(beside, observer);
        }
    }
    let first = courses.iter().map(Course::next_step).min().unwrap_or(0);
    let steps = courses.iter().map(Course::steps).max().unwrap_or(0);
    let shown = options.pause_before.map_or(steps, |pause| steps.min(pause));
    let mut saved = Instant::now();
    for step in first..steps {
        if courses
            .iter()
            .any(|course| course.is_alive() && course.keeps(step))
        {
            settle(courses, observer, shown, true);
        }
        each(courses, observer, |course| match course.takes(step) {
            true => course.keep(step),
            false => Ok(()),
        });
        // Rank 0 alone writes files and is asked to stop.
        let is_over = options.pause_before.is_some_and(|pause| step >= pause);
        let stops = || is_over || options.stop.load(Ordering::Relaxed);
        let stops = as_rank_0_says(courses, ranks, stops)?;
        if !courses.iter().any(Course::is_alive) {
            break;
        }
        if stops {
            settle(courses, observer, shown, true);
            let data = Data::of_all(batches, courses, ranks)?;
            save(courses, observer, &data);
            return Err(Error::Interrupted);
        }
        let batch = batches.next(step);
        let batch = match batch.and_then(|batch| on_device(batch, options.device)) {
            Ok(batch) => Rc::new(batch),
            Err(error) => {
                settle(courses, observer, shown, false);
                let data = Data::own(batches, courses);
                save(courses, observer, &data);
                ranks.fail(&error);
                return Err(error);
            }
        };
        let beside = courses.iter().filter(|course| course.takes(step)).count();
        let mut lines = vec![];
        each(courses, observer, |course| {
            if course.takes(step) {
                let line = course.step(step, &batch, beside)?;
                lines.extend(line.map(|line| (course.name().to_owned(), line)));
            }
            Ok(())
        });
        // One that has failed alone has told the others.
        ranks.check()?;
        let is_due = || saved.elapsed() >= options.save_every;
        let is_due = as_rank_0_says(courses, ranks, is_due)?;
        if is_due && options.reads_late {
            show(observer, &mut lines, shown);
            settle(courses, observer, shown, true);
        }
        if is_due {
            let data = Data::of_all(batches, courses, ranks)?;
            save(courses, observer, &data);
            data.judge(batches, ranks)?;
            saved = Instant::now();
        }
        show(observer, &mut lines, shown);
    }
    settle(courses, observer, shown, true);
    let data = Data::of_all(batches, courses, ranks)?;
    for course in courses.iter_mut() {
        course.note(&data);
    }
    data.judge(batches, ranks)
}

/// What trainings that step side by side have met before this process, for their loader: clips that were asked for, and files that
/// could not be read.
pub(crate) fn met(courses: &[Course<'_>]) -> (u64, BTreeMap<String, String>) {
    let met = courses.iter().map(Course::met);
    met.fold(
        (0, BTreeMap::new()),
        |(most, mut all), (asked, replaced)| {
            all.extend(replaced.clone());
            (most.max(asked), all)
        },
    )
}

/// What rank 0 says, on all ranks, which end the courses that have failed there.
fn as_rank_0_says(
    courses: &mut [Course<'_>],
    ranks: &Ranks,
    what: impl FnOnce() -> bool,
) -> Result<bool> {
    let (is_alive, said) = ranks.tell(|| {
        let is_alive: Vec<bool> = courses.iter().map(Course::is_alive).collect();
        (is_alive, what())
    })?;
    for (course, is_alive) in courses.iter_mut().zip(is_alive) {
        course.end_as_rank_0_does(is_alive);
    }
    Ok(said)
}

/// Reads what has not been read of the last step of each course. All ranks do so, or this one alone, about to end.
fn settle(courses: &mut [Course<'_>], observer: &mut dyn Observer, steps: u64, do_all: bool) {
    let mut lines = vec![];
    each(courses, observer, |course| {
        let line = course.settle(do_all)?;
        lines.extend(line.map(|line| (course.name().to_owned(), line)));
        Ok(())
    });
    show(observer, &mut lines, steps);
}

/// Tells of a step, if there is one to tell of.
fn show(observer: &mut dyn Observer, lines: &mut Vec<(String, StepMetrics)>, steps: u64) {
    if !lines.is_empty() {
        observer.step(lines, steps);
        lines.clear();
    }
}

/// Leaves a resume point of each course that has not failed and is settled.
fn save(courses: &mut [Course<'_>], observer: &mut dyn Observer, data: &Data) {
    each(courses, observer, |course| {
        course.note(data);
        course.save()
    });
}

/// Does `work` for each course that has not failed; one for which it fails has failed.
fn each<'w>(
    courses: &mut [Course<'w>],
    observer: &mut dyn Observer,
    mut work: impl FnMut(&mut Course<'w>) -> Result<()>,
) {
    for course in courses.iter_mut().filter(|course| course.is_alive()) {
        if let Err(error) = work(course) {
            course.fail(error, observer);
        }
    }
}
