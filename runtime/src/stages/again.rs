//! Finished pretrainings trained again, for states that they did not keep: these were asked for later.

use super::Walk;
use super::pretrain::{Member, Watching};
use super::turn::Turn;
use crate::error::{Error, Result};
use crate::train::{Course, Reference};
use compiler::plan::{Pretrain, Stage};
use records::folder::{Finished, checkpoint_after};
use records::points::{self, points};
use std::path::Path;
use std::sync::atomic::Ordering;

impl<'a> Walk<'a> {
    /// The finished run with the states that `work` keeps: it is trained again as far as the last of those that it lacks, each loss held
    /// against the one that it wrote down, as far as rounding lets them be the same. States behind which they agree are given to it.
    ///
    /// Weights alone are no beginning, for the optimiser remembers: it begins at the first step, or where a repetition was interrupted.
    pub(super) fn again(
        &mut self,
        number: usize,
        stage: &'a Stage,
        work: &'a Pretrain,
        finished: Finished,
    ) -> Result<Finished> {
        let attempt = match self.turn_again(number, stage, &finished)? {
            Turn::Make(attempt) => attempt,
            Turn::Made(finished) => return Ok(finished),
        };
        // Another process may have done it meanwhile.
        let missing = finished.lacks(&stage.work);
        let Some(last) = missing.iter().max() else {
            return Ok(finished);
        };
        self.name_device();
        self.progress.begin(number, &stage.label);
        let here = attempt.run().maker();
        // What it goes on from may have been made elsewhere.
        let rounds = finished.run.rounding(&here);
        let rounds = rounds.or_else(|| attempt.run().rounding(&here));
        let switches = [&here.environment, &finished.run.environment].map(|of| of.tf32);
        let exactness = (work.settings.precision, switches.contains(&Some(true)));
        let reference = Reference::of(&finished.path, rounds, exactness)?;
        let epochs: Vec<String> = missing.iter().map(|epoch| format!("{epoch}ep")).collect();
        self.progress.print(&format!(
            "  finished, but its state after {} was not kept: it is trained again as far as that, {}",
            epochs.join(", "),
            reference.how()
        ));
        let per_epoch = work.settings.steps_per_epoch();
        pass_over(attempt.path(), &missing, per_epoch)?;
        // The state after an epoch is proved by the first step of the next one.
        let end = u64::from(*last) * per_epoch + 1;
        let member = Member {
            number,
            stage,
            work,
        };
        let place = self.place([work].into_iter())?;
        let mut watching = Watching::new(&mut self.progress, &mut self.said, &member);
        let course = Course::take_up(
            (&stage.label, &stage.id),
            work,
            place,
            attempt.path(),
            &mut watching,
        )?;
        let mut courses = [course.again(missing.clone(), reference)];
        let ran = [(member, attempt)];
        match self.train(&ran, &mut courses, &mut None, Some(end)) {
            Err(Error::Interrupted) if !self.options.stop.load(Ordering::Relaxed) => {}
            other => other?,
        }
        let ([(_, attempt)], [course]) = (ran, courses);
        let is_proved = |epoch: &&u32| u64::from(**epoch) * per_epoch < course.done();
        let proved = missing.iter().filter(is_proved);
        let names: Vec<String> = proved.map(|epoch| checkpoint_after(*epoch)).collect();
        let apart = course.apart();
        let failed = course.into_failure();
        let finished = match failed {
            // What it goes on from is kept.
            Some(error) if !matches!(error, Error::NotRepeated { .. }) => return Err(error),
            Some(_) | None => attempt.give(&finished, &names, apart)?,
        };
        points::clear(attempt.path())?;
        match failed {
            Some(error) => Err(error),
            None => {
                self.progress.end(&apart.map_or_else(
                    || "the same course, kept".to_owned(),
                    |apart| format!("kept; its losses are up to {apart:.1e} off those of the run"),
                ));
                Ok(finished)
            }
        }
    }
}

/// Removes the resume points of a repetition in `folder` that stand behind a state that it was not asked to keep.
fn pass_over(folder: &Path, missing: &[u32], per_epoch: u64) -> Result<()> {
    let is_there = |epoch: &&u32| folder.join(checkpoint_after(**epoch)).is_file();
    let first = missing.iter().filter(|epoch| !is_there(epoch)).min();
    for point in points(folder)? {
        if first.is_some_and(|first| point.step > u64::from(*first) * per_epoch) {
            points::remove(&point)?;
        }
    }
    Ok(())
}
