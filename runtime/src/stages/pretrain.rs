//! The pretrainings of a plan: those that differ in their loss alone side by side, each from where it was left.

use super::follow::{self, Order};
use super::{Walk, complain};
use crate::data::admission::Admission;
use crate::data::batch::{Batch, Batches};
use crate::data::loader::Loader;
use crate::data::prefetch::Prefetch;
use crate::error::{Error, Result};
use crate::memory::Room;
use crate::progress::Progress;
use crate::ranks::Ranks;
use crate::train::{self, Course, Observer, StepMetrics, TrainSummary};
use compiler::plan::{self, Plan, Pretrain, Stage, StageId, Work};
use records::folder::{Attempt, Finished};
use records::record::{ClipCounts, PretrainResult};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Minutes between two resume points where the site file does not say.
const SAVE_MINUTES: f64 = 10.0;

/// A pretraining that is to be made.
#[derive(Clone, Copy)]
struct Member<'a> {
    /// Its place in the plan, from 1.
    number: usize,
    stage: &'a Stage,
    work: &'a Pretrain,
}

impl<'a> Walk<'a> {
    /// Trains this stage, and beside it those of its group that are still to be trained.
    pub(super) fn pretrain(
        &mut self,
        number: usize,
        stage: &'a Stage,
        data: &str,
    ) -> Result<Finished> {
        if let Some(error) = self.failed.remove(&stage.id) {
            return Err(error);
        }
        let members = self.beside(number, stage, data)?;
        let labels: Vec<&str> = members.iter().map(|m| m.stage.label.as_str()).collect();
        self.progress.begin_beside(number, &labels);
        if self.options.smoke {
            self.interrupt(&members, data)?;
        }
        let (ran, mut courses) = self.take_up(&members, data)?;
        let mut loader = None;
        let trained = self.train(&ran, &mut courses, &mut loader, None);
        if let Err(error) = trained {
            // What ended one ended all of them: their data, or the one who runs them.
            let others = ran.iter().map(|(member, _)| &member.stage.id);
            self.lost.extend(others.filter(|id| **id != stage.id));
            return Err(error);
        }
        let mut finished = None;
        for ((member, attempt), course) in ran.into_iter().zip(courses) {
            match self.finish(&member, attempt, course, loader.as_ref()) {
                Ok(made) if member.stage.id == stage.id => finished = Some(made),
                // The walk finds them when it comes to them.
                Ok(_) => {}
                Err(error) => {
                    let label = &member.stage.label;
                    complain(&self.progress, &mut self.said, label, &error);
                    self.failed.insert(member.stage.id.clone(), error);
                }
            }
        }
        finished.ok_or_else(|| {
            let error = self.failed.remove(&stage.id);
            error.expect("what is not finished has failed")
        })
    }

    /// Takes one step, and leaves it as an interruption does: what follows takes it up.
    fn interrupt(&mut self, members: &[Member<'a>], data: &str) -> Result<()> {
        let (ran, mut courses) = self.take_up(members, data)?;
        match self.train(&ran, &mut courses, &mut None, Some(1)) {
            Err(Error::Interrupted) if !self.options.stop.load(Ordering::Relaxed) => Ok(()),
            other => other,
        }
    }

    /// The stage, and those behind it that can train beside it and are not finished.
    fn beside(&self, number: usize, stage: &'a Stage, data: &str) -> Result<Vec<Member<'a>>> {
        let plan = self.plan;
        let gang = plan.gangs.iter().filter(|_| self.options.gang);
        let gang = gang.clone().find(|gang| gang.members.contains(&stage.id));
        let mut members = vec![];
        for (number, other) in (1..).zip(&plan.stages).skip(number - 1) {
            let Work::Pretrain(work) = &other.work else {
                continue;
            };
            let is_beside = gang.is_some_and(|gang| gang.members.contains(&other.id))
                && !self.lost.contains(&other.id)
                && !self.failed.contains_key(&other.id)
                && plan::refusal(&other.work).is_none()
                && self.runs.find_made_of(&other.id, data)?.is_none();
            if is_beside || other.id == stage.id {
                members.push(Member {
                    number,
                    stage: other,
                    work,
                });
            }
        }
        Ok(members)
    }

    /// The folders of the members and where each training stands: as many as memory holds, the first at least. One that cannot be
    /// taken up has failed.
    #[allow(clippy::type_complexity)] // two lists that go together, the courses apart so that they can step
    fn take_up(
        &mut self,
        members: &[Member<'a>],
        data: &str,
    ) -> Result<(Vec<(Member<'a>, Attempt)>, Vec<Course<'a>>)> {
        let (device, ranks) = (self.options.device, self.options.ranks);
        // Members of a group share their data.
        let clips = match members.iter().any(|member| member.work.remembers_clips()) {
            true => self.source(&members[0].work.settings.data)?.len() as u64,
            false => 0,
        };
        let place = train::Place {
            device,
            ranks,
            clips,
        };
        let mut room = Room::of(device);
        let (mut ran, mut courses) = (vec![], vec![]);
        let all = members.len();
        for &member in members {
            if courses
                .last()
                .is_some_and(|last: &Course<'_>| !room.take(last.bytes() * ranks.sharing(device)))
            {
                // The others have their turn when the walk comes to them.
                self.progress.print(&format!(
                    "  memory holds {} of {all} trainings side by side; the others follow",
                    courses.len()
                ));
                break;
            }
            let attempt = self.runs.take_up(member.stage, &self.context, data)?;
            let mut watching = Watching::new(&mut self.progress, &mut self.said, &member);
            let name = (member.stage.label.as_str(), &member.stage.id);
            match Course::take_up(name, member.work, place, attempt.path(), &mut watching) {
                Ok(course) => {
                    courses.push(course);
                    ran.push((member, attempt));
                }
                Err(error) => {
                    watching.failed(&member.stage.label, &error);
                    self.failed.insert(member.stage.id.clone(), error);
                }
            }
        }
        Ok((ran, courses))
    }

    /// Takes the steps of the courses, down to `pause_before`, on batches that are made once; the loader comes out in `made`.
    fn train(
        &mut self,
        ran: &[(Member<'a>, Attempt)],
        courses: &mut [Course<'a>],
        made: &mut Option<Prefetch<'a>>,
        pause_before: Option<u64>,
    ) -> Result<()> {
        let Some(((member, _), first)) =
            ran.first().zip(courses.iter().map(Course::next_step).min())
        else {
            return Ok(());
        };
        // Without steps there is nothing to share.
        let alone = Ranks::alone();
        let ranks = match member.work.settings.ep {
            0 => &alone,
            _ => self.options.ranks,
        };
        let ids: Vec<StageId> = ran.iter().map(|(m, _)| m.stage.id.clone()).collect();
        follow::call(ranks, &Order::Train(ids.clone()))?;
        follow::share(courses, ranks)?;
        let batches: &mut dyn Batches = match member.work.settings.ep {
            0 => &mut NoBatches,
            _ => {
                let work = shared(self.plan, &ids);
                let loader = self.loader(work.as_ref().unwrap_or(member.work), first);
                made.insert(ranks.agree(loader)?)
            }
        };
        let minutes = self.options.site.save_minutes.unwrap_or(SAVE_MINUTES);
        let options = train::Options {
            device: self.options.device,
            save_every: Duration::from_secs_f64(60.0 * minutes),
            stop: self.options.stop,
            ranks,
            pause_before,
            reads_late: train::reads_late(self.options.device),
        };
        let mut watching = Watching::new(&mut self.progress, &mut self.said, member);
        train::pretrain(courses, batches, &options, &mut watching)
    }

    /// The batches of a pretraining from `first_step` on; what was left out of its data is said.
    fn loader(&mut self, work: &Pretrain, first_step: u64) -> Result<Prefetch<'a>> {
        let source = self.source(&work.settings.data)?;
        let mut options = self.reading();
        options.first_step = first_step;
        options.part = self.options.ranks.part();
        let loader = Loader::new(source, work, &options)?;
        for note in loader.admission().notes() {
            self.progress.print(&format!("  {note}"));
        }
        let stop = self.options.ranks.stopper(self.options.stop);
        Ok(Prefetch::new(loader, first_step, stop))
    }

    /// Makes the folder of a training that has taken all its steps visible.
    fn finish(
        &self,
        member: &Member<'_>,
        attempt: Attempt,
        course: Course<'_>,
        loader: Option<&Prefetch<'_>>,
    ) -> Result<Finished> {
        let batches = loader.map(|loader| loader as &dyn Batches);
        let summary = course.finish(batches)?;
        let clips = loader.map_or_else(ClipCounts::default, |loader| {
            clips(loader.admission(), &summary)
        });
        let finished = attempt.finish(&PretrainResult {
            steps: summary.steps,
            loss: summary.last_loss,
            parameters: summary.parameters,
            clips,
            seconds: summary.seconds,
            data_wait: Some(summary.data_wait),
            data_cpu: Some(summary.data_cpu),
            loader_samples_per_s: summary.loader_samples_per_s,
        })?;
        let outcome = match summary.last_loss {
            Some(loss) => format!("{} steps, loss {loss:.4}", summary.steps),
            None => "random weights".to_owned(),
        };
        self.progress
            .end_of(member.number, &member.stage.label, &outcome);
        Ok(finished)
    }

    /// Keeps the states `missing` of a finished run beside its end: they were asked for when it was made already.
    pub(super) fn repeat(
        &mut self,
        stage: &Stage,
        work: &Pretrain,
        missing: &[u32],
        finished: &Finished,
    ) -> Result<()> {
        let epochs: Vec<String> = missing.iter().map(|epoch| format!("{epoch}ep")).collect();
        self.progress.print(&format!(
            "  finished, but its state after {} was not kept: it is trained again as far as that, each loss compared",
            epochs.join(", ")
        ));
        // What is not proved yet lies in a folder that goes with this attempt.
        let attempt = self.runs.begin(stage, &self.context)?;
        let ranks = self.options.ranks;
        follow::call(ranks, &Order::Repeat(stage.id.clone(), missing.to_vec()))?;
        let loader = self.loader(work, 0);
        let mut loader = ranks.agree(loader)?;
        let options = train::Options {
            device: self.options.device,
            save_every: Duration::MAX,
            stop: self.options.stop,
            ranks,
            pause_before: None,
            reads_late: false,
        };
        let bs = work.settings.bs;
        train::repeat(
            work,
            missing,
            &mut loader,
            &options,
            Some([attempt.path(), &finished.path]),
            &mut |line, steps| self.progress.step(std::slice::from_ref(line), steps, bs),
        )?;
        self.progress.end("the same course, kept");
        Ok(())
    }
}

/// A pretraining whose step makes every view that one of these trainings reads; `None` for one alone, which has its own.
pub(super) fn shared(plan: &Plan, trainings: &[StageId]) -> Option<Pretrain> {
    let [first, _, ..] = trainings else {
        return None;
    };
    let gang = plan
        .gangs
        .iter()
        .find(|gang| gang.members.contains(first))?;
    let Work::Pretrain(work) = &plan.stage(first)?.work else {
        return None;
    };
    Some(Pretrain {
        settings: work.settings.clone(),
        steps: gang.data.clone(),
        keep: vec![],
    })
}

/// What became of the clips of a training.
fn clips(admission: &Admission, summary: &TrainSummary) -> ClipCounts {
    let left_out: BTreeMap<String, u64> = admission
        .left_out
        .iter()
        .map(|(kind, out)| (kind.clone(), out.count as u64))
        .collect();
    let replaced = summary.replaced.iter();
    let replaced = replaced.map(|(name, cause)| (name.into(), cause.clone()));
    let unreadable = admission.unreadable.iter().cloned();
    let mut undecodable: Vec<_> = unreadable.chain(replaced).collect();
    undecodable.sort();
    ClipCounts {
        asked: admission.asked() as u64,
        skipped: left_out.values().sum(),
        left_out,
        filled: admission.filled as u64,
        undecodable,
    }
}

/// Shows trainings on their way.
struct Watching<'p> {
    progress: &'p mut Progress,
    said: &'p mut BTreeSet<String>,
    /// Samples of a batch.
    bs: u32,
}

impl<'p> Watching<'p> {
    fn new(
        progress: &'p mut Progress,
        said: &'p mut BTreeSet<String>,
        member: &Member<'_>,
    ) -> Self {
        let bs = member.work.settings.bs;
        Self { progress, said, bs }
    }
}

impl Observer for Watching<'_> {
    fn step(&mut self, lines: &[StepMetrics], steps: u64) {
        self.progress.step(lines, steps, self.bs);
    }

    fn say(&mut self, line: &str) {
        self.progress.print(line);
    }

    fn failed(&mut self, name: &str, error: &Error) {
        complain(self.progress, self.said, name, error);
    }
}

/// What random weights are trained on.
struct NoBatches;

impl Batches for NoBatches {
    fn next(&mut self, step: u64) -> Result<Batch> {
        Err(Error::Unsupported {
            message: format!("a pretraining of no epochs asked for the batch of step {step}"),
        })
    }
}
