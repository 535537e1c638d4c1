//! Walks the stages of a plan: what is finished is taken, the rest is made in run folders, in the order of the plan.
//!
//! Before the first stage all data sets are looked at: what cannot end in a score for want of one is not begun. A stage that
//! fails does not stop those that do not need it, unless it failed because the disk is full or read-only. A run folder under
//! its final name is complete; an interrupted stage leaves none.

use crate::data::batch::{Batch, Batches};
use crate::data::index::{self, Wanted};
use crate::data::loader::{self, Loader};
use crate::data::prefetch::Prefetch;
use crate::data::shards::{self, Shards};
use crate::data::source::ClipSource;
use crate::doctor;
use crate::error::{Error, Result};
use crate::eval::feature_set::FeatureSet;
use crate::eval::features::{self, Trained};
use crate::eval::score;
use crate::progress::Progress;
use crate::train;
use compiler::hir::{self, Data, Drawing};
use compiler::plan::{self, Extract, Plan, Pretrain, ScoreWork, Stage, StageId, Work};
use records::folder::{Attempt, Context, Finished, Runs, plan_hash};
use records::record::{ClipCounts, ExtractResult, PretrainResult, ScoreResult};
use records::site::Site;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tch::Device;

/// Batches that are made ahead of the training step.
const AHEAD: usize = 2;

/// Where and how a plan is run on this machine: nothing here changes what it gives, up to the device's arithmetic.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The folder of run folders.
    pub runs: &'a Path,
    /// Data roots and caches.
    pub site: &'a Site,
    /// What is computed on.
    pub device: Device,
    /// Threads that decode and augment.
    pub loader_threads: usize,
    /// What was typed, for people.
    pub command: Option<&'a str>,
    /// Set to end the run at the next step.
    pub stop: &'a AtomicBool,
}

/// What became of the stages of a plan.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The finished stages, made from the data as they are.
    pub finished: BTreeMap<StageId, Finished>,
    /// Names of data sets that are not as the plan needs them; what is wrong has been printed.
    pub unfit: BTreeSet<String>,
    /// Labels of stages that failed, with the reason; each has been printed.
    pub failed: Vec<(String, Error)>,
    /// Stages that were not tried: they need one of those, or the disk is full.
    pub left: usize,
}

/// Makes what is not there yet of `plan`. Failures of stages are printed at once and returned in the outcome.
///
/// Errors: [`Error::Interrupted`] once `stop` is set; a runs folder that cannot be used; a plan of another version.
pub fn run(plan: &Plan, options: &Options) -> Result<Outcome> {
    if plan.format != plan::FORMAT {
        return Err(Error::Unsupported {
            message: format!(
                "the plan is of format {}, this engine runs format {}; use `crisscross` and `crisscross-engine` of one version",
                plan.format,
                plan::FORMAT
            ),
        });
    }
    let mut walk = Walk {
        plan,
        options,
        runs: Runs::open(options.runs)?,
        context: Context {
            plan: plan_hash(plan),
            toy: plan.toy,
            set: plan.set.clone(),
            command: options.command.map(str::to_owned),
            code: env!("CARGO_PKG_VERSION").to_owned(),
            environment: doctor::environment(options.device)?,
        },
        sources: BTreeMap::new(),
        fingerprints: BTreeMap::new(),
        done: BTreeMap::new(),
        progress: Progress::new(plan.stages.len()),
    };
    let outcome = walk.all();
    walk.progress.clear();
    Ok(Outcome {
        finished: walk.done,
        ..outcome?
    })
}

/// A run under way.
struct Walk<'a> {
    plan: &'a Plan,
    options: &'a Options<'a>,
    runs: Runs,
    context: Context,
    /// Opened data sets, by their closed declaration.
    sources: BTreeMap<String, Arc<dyn ClipSource>>,
    /// Fingerprints of the files of the data sets that are as the plan needs them, by their closed declaration.
    fingerprints: BTreeMap<String, String>,
    /// Finished stages with the fingerprints of what they were made from.
    done: BTreeMap<StageId, Finished>,
    progress: Progress,
}

impl<'a> Walk<'a> {
    fn all(&mut self) -> Result<Outcome> {
        let plan = self.plan;
        let mut outcome = Outcome::default();
        let mut said: BTreeSet<String> = BTreeSet::new();
        for (name, error) in self.look_at_data() {
            // A root that is not set is the same mistake in each declaration of the set.
            let text = error.in_full();
            if said.insert(text.clone()) {
                self.progress.print(&format!("error: {text}"));
            }
            outcome.unfit.insert(name);
        }
        let mut lost = self.without_data();
        let mut is_over = false;
        for (number, stage) in (1..).zip(&plan.stages) {
            if self.options.stop.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            if is_over
                || lost.contains(&stage.id)
                || needs(&stage.work).is_some_and(|id| lost.contains(id))
            {
                lost.insert(&stage.id);
                outcome.left += 1;
                continue;
            }
            match self.stage(number, stage) {
                Ok(finished) => drop(self.done.insert(stage.id.clone(), finished)),
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                Err(error) => {
                    // What several stages run into is said once.
                    let text = error.in_full();
                    if said.insert(text.clone()) {
                        self.progress
                            .print(&format!("error: {}: {text}", stage.label));
                    }
                    is_over = error.is_of_disk();
                    lost.insert(&stage.id);
                    outcome.failed.push((stage.label.clone(), error));
                }
            }
        }
        Ok(outcome)
    }

    /// Lists the files of every data set of the plan, and keeps the fingerprints of those that are as the plan needs them. A set
    /// that is scored must have classes and splits. What is wrong comes back with the set's name.
    fn look_at_data(&mut self) -> Vec<(String, Error)> {
        let plan = self.plan;
        let is_scored = |data: &Data| {
            plan.stages
                .iter()
                .any(|stage| matches!(&stage.work, Work::Extract(work) if work.eval.data == *data))
        };
        let mut wrong = vec![];
        let mut seen = BTreeSet::new();
        for stage in &plan.stages {
            let Some(data @ (Data::Videos(files) | Data::Sounds(files))) = reads(&stage.work)
            else {
                continue;
            };
            let key = key_of(data);
            if !seen.insert(key.clone()) {
                continue;
            }
            let site = self.options.site;
            let look = || -> Result<String> {
                let root = site.root(&files.name)?;
                let (manifest, fingerprint) = if shards::is_packed(&root.root) {
                    let shards = Shards::open(files, &root.root)?;
                    (shards.manifest(), shards.fingerprint())
                } else {
                    index::manifest(Wanted::Declared(files), site)?
                };
                for note in &manifest.notes {
                    let note = format!("data set `{}`: {note}", files.name);
                    self.progress.print(&note);
                }
                if is_scored(data) {
                    manifest.check_scored(files.splits)?;
                }
                Ok(fingerprint)
            };
            match look() {
                Ok(fingerprint) => drop(self.fingerprints.insert(key, fingerprint)),
                Err(error) => wrong.push((files.name.clone(), error)),
            }
        }
        wrong
    }

    /// The stages that cannot be made for want of data, what needs them, and what is made for them alone.
    fn without_data(&self) -> BTreeSet<&'a StageId> {
        let stages = &self.plan.stages;
        let mut lost: BTreeSet<&StageId> = BTreeSet::new();
        for stage in stages {
            let is_unfit = reads(&stage.work).is_some_and(|data| {
                !matches!(data, Data::Synthetic(_))
                    && !self.fingerprints.contains_key(&key_of(data))
            });
            if is_unfit || needs(&stage.work).is_some_and(|id| lost.contains(id)) {
                lost.insert(&stage.id);
            }
        }
        for stage in stages.iter().rev() {
            let mut users = stages
                .iter()
                .filter(|user| needs(&user.work) == Some(&stage.id))
                .peekable();
            if users.peek().is_some() && users.all(|user| lost.contains(&user.id)) {
                lost.insert(&stage.id);
            }
        }
        lost
    }

    /// The stage as it was finished before, or else made now.
    fn stage(&mut self, number: usize, stage: &Stage) -> Result<Finished> {
        let data = self.data_of(&stage.work);
        if let Some(finished) = self.runs.find_made_of(&stage.id, &data)? {
            let missing = finished.lacks(&stage.work);
            if let (Work::Pretrain(work), false) = (&stage.work, missing.is_empty()) {
                self.progress.begin(number, &stage.label);
                self.repeat(stage, work, &missing, &finished)?;
            }
            return Ok(finished);
        }
        if let Some(what) = plan::refusal(&stage.work) {
            return Err(Error::Unsupported {
                message: format!("this version cannot run {what}"),
            });
        }
        self.progress.begin(number, &stage.label);
        let attempt = self.runs.begin(stage, &self.context)?.made_of(&data)?;
        match &stage.work {
            Work::Pretrain(work) => self.pretrain(work, attempt),
            Work::Extract(work) => self.extract(work, attempt),
            Work::Finetune(_) => unreachable!("plan: a finetuning is refused"),
            Work::Draw(_) => unreachable!("plan: a drawing is refused"),
            Work::Score(work) => self.score(work, attempt),
        }
    }

    fn pretrain(&mut self, work: &Pretrain, attempt: Attempt) -> Result<Finished> {
        let settings = &work.settings;
        let mut loader = match settings.ep {
            0 => None,
            _ => Some(self.loader(work)?),
        };
        let batches: &mut dyn Batches = match &mut loader {
            Some(loader) => loader,
            None => &mut NoBatches,
        };
        let Options { device, stop, .. } = *self.options;
        let summary = train::pretrain(
            work,
            batches,
            device,
            attempt.path(),
            &mut |line, steps| self.progress.step(line, steps, settings.bs),
            stop,
        )?;
        let clips = loader.map_or_else(ClipCounts::default, |loader| {
            let admission = loader.admission();
            let left_out = admission.left_out.iter();
            let left_out: BTreeMap<String, u64> = left_out
                .map(|(kind, out)| (kind.clone(), out.count as u64))
                .collect();
            let replaced = loader
                .failed()
                .iter()
                .map(|(name, cause)| (name.into(), cause.clone()));
            let mut undecodable: Vec<_> = admission
                .unreadable
                .iter()
                .cloned()
                .chain(replaced)
                .collect();
            undecodable.sort();
            ClipCounts {
                asked: admission.asked() as u64,
                skipped: left_out.values().sum(),
                left_out,
                filled: admission.filled as u64,
                undecodable,
            }
        });
        self.progress.end(&match summary.last_loss {
            Some(loss) => format!("{} steps, loss {loss:.4}", summary.steps),
            None => "random weights".to_owned(),
        });
        Ok(attempt.finish(&PretrainResult {
            steps: summary.steps,
            loss: summary.last_loss,
            parameters: summary.parameters,
            clips,
            seconds: summary.seconds,
            data_wait: Some(summary.data_wait),
            loader_samples_per_s: summary.loader_samples_per_s,
        })?)
    }

    /// Keeps the states `missing` of a finished run beside its end: they were asked for when it was made already.
    fn repeat(
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
        let mut loader = self.loader(work)?;
        let Options { device, stop, .. } = *self.options;
        train::repeat(
            work,
            missing,
            &mut loader,
            device,
            [attempt.path(), &finished.path],
            &mut |line, steps| self.progress.step(line, steps, work.settings.bs),
            stop,
        )?;
        self.progress.end("the same course, kept");
        Ok(())
    }

    /// The batches of a pretraining; what was left out of its data is said.
    fn loader(&mut self, work: &Pretrain) -> Result<Prefetch<'a>> {
        let source = self.source(&work.settings.data)?;
        let options = self.reading();
        let loader = Loader::new(source, work, &options)?;
        for note in loader.admission().notes() {
            self.progress.print(&format!("  {note}"));
        }
        Ok(Prefetch::new(loader, options.first_step, self.options.stop))
    }

    fn extract(&mut self, work: &Extract, attempt: Attempt) -> Result<Finished> {
        let start = Instant::now();
        let source = self.source(&work.eval.data)?;
        let options = self.reading();
        let Options { device, stop, .. } = *self.options;
        let model = Trained {
            settings: settings_of(self.plan, &work.model),
            weights: &self.done[&work.model].state(work.checkpoint),
        };
        let (set, clips) = features::extract(
            work,
            model,
            &source,
            device,
            &options,
            &mut |done, all| self.progress.count(done, all, "samples"),
            stop,
        )?;
        set.save(&attempt.path().join(records::folder::FEATURES))?;
        self.progress.end(&format!(
            "{} samples, {} values a clip",
            set.samples.len(),
            set.width
        ));
        Ok(attempt.finish(&ExtractResult {
            samples: set.samples.len() as u64,
            width: set.width as u64,
            clips,
            seconds: start.elapsed().as_secs_f64(),
        })?)
    }

    fn score(&mut self, work: &ScoreWork, attempt: Attempt) -> Result<Finished> {
        let start = Instant::now();
        let features = &self.done[&work.features];
        let set = FeatureSet::load(&features.features())?;
        let clips = features.result::<ExtractResult>()?.clips;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let scores = score::score(
            &set,
            work,
            threads,
            &mut |done, all| self.progress.count(done, all, "machines"),
            self.options.stop,
        )?;
        let seconds = start.elapsed().as_secs_f64();
        let mut result = ScoreResult::of_folds(scores.folds, clips, seconds);
        result.solver = Some(scores.solver);
        self.progress.end(&format!("{:.1} %", result.value));
        Ok(attempt.finish(&result)?)
    }

    fn reading(&self) -> loader::Options {
        loader::Options {
            threads: self.options.loader_threads,
            ahead: AHEAD,
            max_bad_share: self.options.site.max_bad_share(),
            first_step: 0,
            part: loader::Part::WHOLE,
            augment_on: Some(self.options.device).filter(|device| device.is_cuda()),
        }
    }

    /// The data set, opened once.
    fn source(&mut self, data: &Data) -> Result<Arc<dyn ClipSource>> {
        let key = key_of(data);
        if let Some(source) = self.sources.get(&key) {
            return Ok(Arc::clone(source));
        }
        let source = crate::data::open(data, self.options.site, self.options.loader_threads)?;
        self.sources.insert(key, Arc::clone(&source));
        Ok(source)
    }

    /// Fingerprint of the files behind a stage, those of the stages that it needs included; empty where there are none: rendered
    /// clips are described wholly by the plan.
    fn data_of(&self, work: &Work) -> String {
        let before = needs(work).map_or("", |id| self.done[id].run.data.as_str());
        let own = reads(work)
            .and_then(|data| self.fingerprints.get(&key_of(data)))
            .map_or("", String::as_str);
        match (before, own) {
            (before, "") => before.to_owned(),
            ("", own) => own.to_owned(),
            (before, own) => blake3::hash(format!("{before} {own}").as_bytes())
                .to_hex()
                .to_string(),
        }
    }
}

/// The data set whose clips this work reads.
fn reads(work: &Work) -> Option<&Data> {
    match work {
        Work::Pretrain(work) => (work.settings.ep > 0).then_some(&work.settings.data),
        Work::Extract(work) => Some(&work.eval.data),
        Work::Finetune(work) => Some(&work.eval.data),
        Work::Draw(work) => match &work.drawing {
            Drawing::Embedding(embedded) => Some(&embedded.of.data),
            Drawing::Saliency(saliency) => Some(&saliency.of.data),
            Drawing::Gallery(gallery) => Some(&gallery.eval.data),
        },
        Work::Score(_) => None,
    }
}

/// A declaration as a key.
fn key_of(data: &Data) -> String {
    serde_json::to_string(data).expect("declarations are plain data")
}

/// The pretraining that the stage with this id makes.
fn settings_of<'a>(plan: &'a Plan, id: &StageId) -> &'a hir::Pretrain {
    match plan.stage(id).map(|stage| &stage.work) {
        Some(Work::Pretrain(work)) => &work.settings,
        Some(Work::Extract(_) | Work::Finetune(_) | Work::Score(_) | Work::Draw(_)) | None => {
            unreachable!("plan: features are extracted with the weights of a pretraining")
        }
    }
}

/// The stage whose outcome this work reads.
fn needs(work: &Work) -> Option<&StageId> {
    match work {
        Work::Pretrain(_) => None,
        Work::Extract(work) => Some(&work.model),
        Work::Finetune(work) => Some(&work.model),
        Work::Draw(work) => Some(&work.from),
        Work::Score(work) => Some(&work.features),
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
