//! The stages of a plan on the ranks that follow: rank 0 walks, and calls them where a training is to be done together.

use super::pretrain::shared;
use super::{Options, reading};
use crate::data::loader::Loader;
use crate::data::prefetch::Prefetch;
use crate::error::{Error, Result};
use crate::ranks::Ranks;
use crate::train::{self, Course, Observer, Place, StepMetrics};
use compiler::plan::{Plan, Pretrain, Stage, StageId, Work};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// What rank 0 calls for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Order {
    /// Train these stages, at least one, side by side from where rank 0 has them.
    Train(Vec<StageId>),
    /// End with this exit code.
    End(u8),
}

/// Calls the ranks that follow.
pub(super) fn call(ranks: &Ranks, order: &Order) -> Result<()> {
    ranks.tell(|| order.clone()).map(drop)
}

/// On rank 0: lets the others end with this exit code.
///
/// Errors: another rank has failed.
pub fn dismiss(ranks: &Ranks, code: u8) -> Result<()> {
    call(ranks, &Order::End(code))
}

/// Gives the state of rank 0's courses to all ranks, once each of them has made its own.
pub(super) fn share(courses: &mut [Course<'_>], ranks: &Ranks) -> Result<()> {
    if ranks.is_alone() {
        return Ok(());
    }
    ranks.agree(Ok(()))?;
    courses.iter_mut().try_for_each(Course::share)
}

/// On a rank that follows: does what rank 0 calls for, until it is dismissed, and gives the exit code that rank 0 ends with. Between
/// trainings it sleeps.
///
/// Errors: of this rank, or of another.
pub fn follow(plan: &Plan, options: &Options) -> Result<u8> {
    let ranks = options.ranks;
    loop {
        let order = ranks.tell(|| unreachable!("Ranks: rank 0 gives orders"))?;
        let done = match order {
            Order::End(code) => return Ok(code),
            Order::Train(ids) => train_beside(plan, &ids, options),
        };
        match done {
            // Rank 0 knows the same and says what comes next.
            Ok(()) | Err(Error::Interrupted | Error::NotFinite { .. }) => {}
            Err(error) => {
                ranks.check()?;
                if !matches!(error, Error::Rank { .. }) {
                    // This rank has said that it could not begin.
                    records::say(&format!("rank {}: error: {error}", ranks.rank()));
                }
            }
        }
    }
}

fn train_beside(plan: &Plan, ids: &[StageId], options: &Options) -> Result<()> {
    let ranks = options.ranks;
    let made: Result<Vec<Course<'_>>> = ids
        .iter()
        .map(|id| {
            let (stage, work) = pretraining(plan, id)?;
            Course::follow((&stage.label, id), work, place(work, options)?)
        })
        .collect();
    let mut courses = ranks.agree(made)?;
    courses.iter_mut().try_for_each(Course::share)?;
    let first = courses.iter().map(Course::next_step).min().unwrap_or(0);
    let made = || {
        let (_, work) = pretraining(plan, &ids[0])?;
        let work = shared(plan, ids).unwrap_or_else(|| work.clone());
        loader(&work, first, train::met(&courses), options)
    };
    let mut loader = ranks.agree(made())?;
    let options = train_options(options);
    train::pretrain(&mut courses, &mut loader, &options, &mut Silent)
}

/// Where this rank trains, and on how many clips where the loss remembers something of each.
fn place<'a>(work: &Pretrain, options: &Options<'a>) -> Result<Place<'a>> {
    let clips = match work.remembers_clips() {
        true => {
            let (data, threads) = (&work.settings.data, options.loader_threads);
            crate::data::open(data, options.site, threads)?.len() as u64
        }
        false => 0,
    };
    Ok(Place {
        device: options.device,
        ranks: options.ranks,
        clips,
        micro_batch: options.micro_batch,
    })
}

/// The batches of this rank.
fn loader<'a>(
    work: &Pretrain,
    first_step: u64,
    (asked, failed): (u64, BTreeMap<String, String>),
    options: &Options<'a>,
) -> Result<Prefetch<'a>> {
    let source = crate::data::open(&work.settings.data, options.site, options.loader_threads)?;
    let mut reading = reading(options);
    reading.first_step = first_step;
    reading.part = options.ranks.part();
    let loader = Loader::new(source, work, &reading)?.after(asked, &failed);
    Ok(Prefetch::new(
        loader,
        first_step,
        options.ranks.stopper(options.stop),
    ))
}

fn train_options<'a>(options: &Options<'a>) -> train::Options<'a> {
    train::Options {
        device: options.device,
        // Rank 0 says when.
        save_every: Duration::MAX,
        stop: options.stop,
        ranks: options.ranks,
        pause_before: None,
        reads_late: train::reads_late(options.device),
    }
}

/// The pretraining of this id.
fn pretraining<'p>(plan: &'p Plan, id: &StageId) -> Result<(&'p Stage, &'p Pretrain)> {
    let found = plan.stage(id).and_then(|stage| match &stage.work {
        Work::Pretrain(work) => Some((stage, &**work)),
        Work::Extract(_) | Work::Finetune(_) | Work::Score(_) | Work::Draw(_) => None,
    });
    found.ok_or_else(|| Error::Unsupported {
        message: format!(
            "rank 0 trains stage {}, which is not in this plan",
            id.short()
        ),
    })
}

/// Rank 0 speaks for all.
struct Silent;

impl Observer for Silent {
    fn step(&mut self, _: &[(String, StepMetrics)], _: u64) {}
    fn say(&mut self, _: &str) {}
    fn failed(&mut self, _: &str, _: &Error) {}
}
