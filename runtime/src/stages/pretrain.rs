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
use crate::train::{self, Course, Observer, Place, StepMetrics, TrainSummary};
use compiler::plan::{self, Plan, Pretrain, Stage, StageId, Work};
use records::failures;
use records::folder::{Attempt, Claim, Finished};
use records::record::{ClipCounts, PretrainResult};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

/// A pretraining that is to be made.
#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    /// Its place in the plan, from 1.
    pub number: usize,
    pub stage: &'a Stage,
    pub work: &'a Pretrain,
}

/// A pretraining that is this process's to make, and its folder.
pub(super) type Ready<'a> = (Member<'a>, Attempt);

impl<'a> Walk<'a> {
    /// Trains this stage, and beside it those of its group that are still to be trained.
    pub(super) fn pretrain(
        &mut self,
        number: usize,
        stage: &'a Stage,
        data: &str,
        attempt: Attempt,
    ) -> Result<Finished> {
        let mut ready = self.beside(number, stage, data, attempt)?;
        let labels: Vec<&str> = ready.iter().map(|(m, _)| m.stage.label.as_str()).collect();
        self.progress.begin_beside(number, &labels);
        if self.options.smoke {
            ready = self.interrupt(ready)?;
        }
        let (ran, mut courses) = self.take_up(ready)?;
        let mut loader = None;
        let trained = self.train(&ran, &mut courses, &mut loader, None);
        if let Err(error) = trained {
            // What ended one ended all of them: their data, or the one who runs them.
            let ids = ran.iter().map(|(member, _)| &member.stage.id);
            for other in ids.filter(|id| **id != stage.id) {
                if !matches!(error, Error::Interrupted) {
                    failures::keep(&self.runs, other, &error.to_string());
                }
                self.lost.insert(other);
            }
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

    /// Takes one step, and leaves it as an interruption does: what follows takes it up. A course that fails is left out.
    fn interrupt(&mut self, ready: Vec<Ready<'a>>) -> Result<Vec<Ready<'a>>> {
        let (ran, mut courses) = self.take_up(ready)?;
        match self.train(&ran, &mut courses, &mut None, Some(1)) {
            Err(Error::Interrupted) if !self.options.stop.load(Ordering::Relaxed) => Ok(ran),
            other => other.map(|()| ran),
        }
    }

    /// The stage, and those behind it that can train beside it, are not finished, and that no other process is at.
    fn beside(
        &self,
        number: usize,
        stage: &'a Stage,
        data: &str,
        attempt: Attempt,
    ) -> Result<Vec<Ready<'a>>> {
        let plan = self.plan;
        let gang = plan.gangs.iter().filter(|_| self.options.gang);
        let gang = gang.clone().find(|gang| gang.members.contains(&stage.id));
        let (mut ready, mut attempt) = (vec![], Some(attempt));
        for (number, stage) in (1..).zip(&plan.stages).skip(number - 1) {
            let Work::Pretrain(work) = &stage.work else {
                continue;
            };
            let is_beside = gang.is_some_and(|gang| gang.members.contains(&stage.id))
                && !self.lost.contains(&stage.id)
                && !self.failed.contains_key(&stage.id)
                && plan::refusal(&stage.work).is_none();
            let own = match attempt.take() {
                Some(own) => own,
                None if !is_beside => continue,
                // Never waited for here, where others are held: the walk waits when it comes to it.
                None => match self.runs.claim(stage, &self.context, data)? {
                    Claim::Own(attempt) => *attempt,
                    Claim::Made(_) => continue,
                    Claim::Held(holder) => {
                        self.progress.print(&format!(
                            "  {} is left out: {holder}, is making it",
                            stage.label
                        ));
                        continue;
                    }
                },
            };
            let member = Member {
                number,
                stage,
                work,
            };
            ready.push((member, own));
        }
        Ok(ready)
    }

    /// Where each training stands: as many as memory holds, the first at least. One that cannot be taken up has failed.
    fn take_up(&mut self, ready: Vec<Ready<'a>>) -> Result<(Vec<Ready<'a>>, Vec<Course<'a>>)> {
        let (device, ranks) = (self.options.device, self.options.ranks);
        let place = self.place(ready.iter().map(|(member, _)| member.work))?;
        let mut room = Room::of(device);
        let (mut ran, mut courses) = (vec![], vec![]);
        let all = ready.len();
        // The others have their turn when the walk comes to them.
        let holds = |courses: &[Course<'_>]| {
            format!(
                "  memory holds {} of {all} trainings side by side; the others follow",
                courses.len()
            )
        };
        for (member, attempt) in ready {
            if courses
                .last()
                .is_some_and(|last: &Course<'_>| !room.take(last.bytes() * ranks.sharing(device)))
            {
                self.progress.print(&holds(&courses));
                break;
            }
            let mut watching = Watching::new(&mut self.progress, &mut self.said, &member);
            let name = (member.stage.label.as_str(), &member.stage.id);
            match Course::take_up(name, member.work, place, attempt.path(), &mut watching) {
                Ok(course) => {
                    courses.push(course);
                    ran.push((member, attempt));
                }
                Err(Error::NoRoom { .. }) if !courses.is_empty() => {
                    self.progress.print(&holds(&courses));
                    break;
                }
                Err(error) => {
                    watching.failed(&member.stage.label, &error);
                    self.failed.insert(member.stage.id.clone(), error);
                }
            }
        }
        Ok((ran, courses))
    }

    /// Where trainings of one group, which share their data, are done.
    pub(super) fn place<'w>(
        &mut self,
        mut works: impl Iterator<Item = &'w Pretrain>,
    ) -> Result<Place<'a>> {
        let clips = match works.find(|work| work.remembers_clips()) {
            Some(work) => self.source(&work.settings.data)?.len() as u64,
            None => 0,
        };
        Ok(Place {
            device: self.options.device,
            ranks: self.options.ranks,
            clips,
            micro_batch: self.options.micro_batch,
        })
    }

    /// Takes the steps of the courses, down to `pause_before`, on batches that are made once; the loader comes out in `made`.
    pub(super) fn train(
        &mut self,
        ran: &[Ready<'a>],
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
                let met = train::met(courses);
                let loader = self.loader(work.as_ref().unwrap_or(member.work), first, met);
                made.insert(ranks.agree(loader)?)
            }
        };
        let options = train::Options {
            device: self.options.device,
            save_every: self.save_every(),
            stop: self.options.stop,
            ranks,
            pause_before,
            reads_late: train::reads_late(self.options.device),
        };
        let mut watching = Watching::new(&mut self.progress, &mut self.said, member);
        train::pretrain(courses, batches, &options, &mut watching)
    }

    /// The batches of a pretraining from `first_step` on; what was left out of its data is said.
    fn loader(
        &mut self,
        work: &Pretrain,
        first_step: u64,
        (asked, failed): (u64, BTreeMap<String, String>),
    ) -> Result<Prefetch<'a>> {
        let source = self.source(&work.settings.data)?;
        let mut options = self.reading();
        options.first_step = first_step;
        options.part = self.options.ranks.part();
        let loader = Loader::new(source, work, &options)?.after(asked, &failed);
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
        let settings = &member.work.settings;
        let finished = attempt.finish(&PretrainResult {
            steps: summary.steps,
            loss: summary.last_loss,
            parameters: summary.parameters,
            clips,
            seconds: summary.seconds,
            data_wait: Some(summary.data_wait),
            data_cpu: Some(summary.data_cpu),
            data_samples: Some(summary.data_samples),
            loader_samples_per_s: summary.loader_samples_per_s,
            overlaps: summary.overlaps.means(&settings.modalities, settings.views),
        })?;
        let outcome = match summary.last_loss {
            Some(loss) => format!("{} steps, loss {loss:.4}", summary.steps),
            None => "random weights".to_owned(),
        };
        self.progress
            .end_of(member.number, &member.stage.label, &outcome);
        Ok(finished)
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
pub(super) struct Watching<'p> {
    progress: &'p mut Progress,
    said: &'p mut BTreeSet<String>,
    /// Samples of a batch.
    bs: u32,
}

impl<'p> Watching<'p> {
    pub fn new(
        progress: &'p mut Progress,
        said: &'p mut BTreeSet<String>,
        member: &Member<'_>,
    ) -> Self {
        let bs = member.work.settings.bs;
        Self { progress, said, bs }
    }
}

impl Observer for Watching<'_> {
    fn step(&mut self, lines: &[(String, StepMetrics)], steps: u64) {
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
