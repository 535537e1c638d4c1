//! Walks the stages of a plan: what is finished is taken, the rest is made in run folders, in the order of the plan.
//!
//! Before the first stage all data sets are looked at: what cannot end in a score for want of one is not begun. A stage that
//! fails does not stop those that do not need it, unless it failed because the disk is full or read-only. A run folder under
//! its final name is complete; an interrupted training leaves one under another name, and the next run goes on in it.

mod again;
mod draw;
mod finetune;
mod follow;
mod parts;
mod pretrain;
mod turn;

pub use follow::{dismiss, follow};

use crate::data;
use crate::data::loader;
use crate::data::source::ClipSource;
use crate::doctor;
use crate::error::{Error, Result};
use crate::eval::feature_set::FeatureSet;
use crate::eval::features::{self, Trained};
use crate::eval::heads::Means;
use crate::eval::score;
use crate::progress::Progress;
use crate::ranks::Ranks;
use crate::weights;
use compiler::hir::{self, Data};
use compiler::plan::{self, Extract, Plan, ScoreWork, Stage, StageId, Work};
use records::failures;
use records::folder::{Attempt, Context, Finished, Runs, plan_hash};
use records::predictions::{self, PREDICTIONS};
use records::record::{ClipCounts, Environment, ExtractResult, ScoreResult};
use records::site::Site;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tch::Device;
use turn::Turn;

/// Batches that are made ahead of the training step.
const AHEAD: usize = 2;

/// Minutes between two resume points where the site file does not say.
const SAVE_MINUTES: f64 = 10.0;

/// Where and how a plan is run on this machine: nothing here changes what it gives, up to the device's arithmetic.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The folder of run folders.
    pub runs: &'a Path,
    /// Data roots and caches.
    pub site: &'a Site,
    /// What is computed on.
    pub device: Device,
    /// The same, in a line for people, of all ranks.
    pub device_line: &'a str,
    /// Threads that decode and augment.
    pub loader_threads: usize,
    /// What was typed, for people.
    pub command: Option<&'a str>,
    /// Trainings that differ in their loss alone step side by side, as far as memory allows.
    pub gang: bool,
    /// Samples of a batch that go through the networks at once; `None`: all of it.
    pub micro_batch: Option<u32>,
    /// The ranks that train together. Rank 0 walks the stages, the others [`follow`].
    pub ranks: &'a Ranks,
    /// A try: each training is interrupted once, and few clips are evaluated.
    pub smoke: bool,
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
    /// Stages that were finished before, from data that are not as the plan needs them now, or not there.
    pub unchecked: BTreeMap<StageId, Finished>,
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
    parts::check(plan, options.micro_batch, options.ranks)?;
    let mut walk = Walk {
        plan,
        options,
        runs: Runs::open(options.runs)?,
        imported: BTreeMap::new(),
        context: Context {
            plan: plan_hash(plan),
            toy: plan.toy,
            set: plan.set.clone(),
            command: options.command.map(str::to_owned),
            code: env!("CARGO_PKG_VERSION").to_owned(),
            environment: Environment {
                micro_batch: options.micro_batch,
                ..doctor::environment_of(options.device, options.ranks)?
            },
        },
        sources: BTreeMap::new(),
        fingerprints: BTreeMap::new(),
        done: BTreeMap::new(),
        failed: BTreeMap::new(),
        lost: BTreeSet::new(),
        said: BTreeSet::new(),
        progress: Progress::new(plan.stages.len()),
        has_named_device: false,
    };
    // A try runs in a folder of its own, and does not train what nobody trains.
    let beside = options.runs.parent().filter(|_| options.smoke);
    walk.imported = Runs::at(beside.unwrap_or(options.runs)).imported()?;
    walk.say_what_waits()?;
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
    /// Pretrainings whose weights come from elsewhere: nobody trains them, and they need no data.
    imported: BTreeMap<StageId, Finished>,
    /// Opened data sets, by their closed declaration.
    sources: BTreeMap<String, Arc<dyn ClipSource>>,
    /// Fingerprints of the files of the data sets that are as the plan needs them, by their closed declaration.
    fingerprints: BTreeMap<String, String>,
    /// Finished stages with the fingerprints of what they were made from.
    done: BTreeMap<StageId, Finished>,
    /// Trainings that ended beside another, before their turn, with the reason.
    failed: BTreeMap<StageId, Error>,
    /// Stages that are not tried: they lack data or another stage.
    lost: BTreeSet<&'a StageId>,
    /// Errors that have been printed: what several stages run into is said once.
    said: BTreeSet<String>,
    progress: Progress,
    has_named_device: bool,
}

impl<'a> Walk<'a> {
    /// Says what is computed on, once, where something is about to be.
    fn name_device(&mut self) {
        if !std::mem::replace(&mut self.has_named_device, true) {
            self.progress.print(self.options.device_line);
        }
    }

    /// Names the interrupted trainings that this plan does not go on with: their folders stay until somebody removes them.
    fn say_what_waits(&self) -> Result<()> {
        let mut left = self.runs.interrupted()?;
        left.retain(|left| self.plan.stage(&left.run.stage).is_none());
        let Some(first) = left.first() else {
            return Ok(());
        };
        let bytes: u64 = left.iter().map(records::folder::Left::bytes).sum();
        self.progress.print(&format!(
            "note: {} interrupted training(s) of other plans wait in `{}` ({:.1} GB), `{}` of `{}` among them; remove the folders of \
             those that are not to go on",
            left.len(),
            self.runs.dir().display(),
            bytes as f64 / 1e9,
            first.path.file_name().unwrap_or_default().display(),
            first.run.label
        ));
        Ok(())
    }

    fn all(&mut self) -> Result<Outcome> {
        let plan = self.plan;
        let mut outcome = Outcome::default();
        for (name, error) in self.look_at_data() {
            // A root that is not set is the same mistake in each declaration of the set.
            let text = error.in_full();
            if self.said.insert(text.clone()) {
                self.progress.print(&format!("error: {text}"));
            }
            outcome.unfit.insert(name);
        }
        self.lost = self.without_data();
        let mut before = match self.lost.is_empty() {
            true => BTreeMap::new(),
            false => self.runs.index()?,
        };
        before.retain(|id, _| self.lost.contains(id));
        let mut is_over = false;
        for (number, stage) in (1..).zip(&plan.stages) {
            if self.options.stop.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            if is_over
                || self.lost.contains(&stage.id)
                || stage.work.needs().iter().any(|id| self.lost.contains(id))
            {
                self.lost.insert(&stage.id);
                // Beside another, before its turn.
                if let Some(error) = self.failed.remove(&stage.id) {
                    failures::keep(&self.runs, &stage.id, &error.to_string());
                    outcome.failed.push((stage.label.clone(), error));
                } else if let Some(finished) = before.remove(&stage.id) {
                    outcome.unchecked.insert(stage.id.clone(), finished);
                } else {
                    outcome.left += 1;
                }
                continue;
            }
            match self.stage(number, stage) {
                Ok(finished) => {
                    failures::forget(&self.runs, &stage.id);
                    self.done.insert(stage.id.clone(), finished);
                }
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                Err(error) => {
                    // What not all ranks have met ends all of them.
                    self.options.ranks.check()?;
                    complain(&self.progress, &mut self.said, &stage.label, &error);
                    failures::keep(&self.runs, &stage.id, &error.to_string());
                    is_over = error.is_of_disk();
                    self.lost.insert(&stage.id);
                    outcome.failed.push((stage.label.clone(), error));
                }
            }
        }
        Ok(outcome)
    }

    /// Lists the files of every data set of the plan, and keeps the fingerprints of those that are as the plan needs them. A set
    /// that is scored must have classes and splits, and one that is drawn samples of its part. What is wrong comes back with the set's name.
    fn look_at_data(&mut self) -> Vec<(String, Error)> {
        let plan = self.plan;
        let is_scored = |data: &Data| {
            plan.stages.iter().any(|stage| match &stage.work {
                Work::Extract(work) => work.eval.data == *data,
                Work::Finetune(work) => work.eval.data == *data,
                Work::Pretrain(_) | Work::Score(_) | Work::Draw(_) => false,
            })
        };
        // The parts of it that are drawn without an extraction.
        let drawn = |data: &Data| {
            let parts = plan.stages.iter().filter_map(|stage| match &stage.work {
                Work::Draw(work) => work.drawing.sampled(),
                Work::Pretrain(_) | Work::Extract(_) | Work::Finetune(_) | Work::Score(_) => None,
            });
            let own: Vec<hir::Part> = parts
                .filter(|of| of.data == *data)
                .map(|of| of.split)
                .collect();
            own.into_iter()
        };
        let mut wrong = vec![];
        let mut seen = BTreeSet::new();
        for stage in &plan.stages {
            let Some(data @ (Data::Videos(files) | Data::Sounds(files))) = self.reads(stage) else {
                continue;
            };
            let key = key_of(data);
            if !seen.insert(key.clone()) {
                continue;
            }
            let site = self.options.site;
            let look = || -> Result<String> {
                let (manifest, fingerprint) = data::listed(files, site)?;
                for note in &manifest.notes {
                    let note = format!("data set `{}`: {note}", files.name);
                    self.progress.print(&note);
                }
                if is_scored(data) {
                    manifest.check_scored(files.splits)?;
                }
                drawn(data).try_for_each(|part| manifest.check_drawn(part))?;
                Ok(fingerprint)
            };
            match look() {
                Ok(fingerprint) => drop(self.fingerprints.insert(key, fingerprint)),
                Err(error) => wrong.push((files.name.clone(), error)),
            }
        }
        wrong
    }

    /// The data set that is read where this stage is made here.
    fn reads<'s>(&self, stage: &'s Stage) -> Option<&'s Data> {
        let is_imported = self.imported.contains_key(&stage.id);
        stage.work.reads().filter(|_| !is_imported)
    }

    /// The stages that cannot be made for want of data, what needs them, and what is made for them alone.
    fn without_data(&self) -> BTreeSet<&'a StageId> {
        let stages = &self.plan.stages;
        let mut lost: BTreeSet<&StageId> = BTreeSet::new();
        for stage in stages {
            let is_unfit = self.reads(stage).is_some_and(|data| {
                !matches!(data, Data::Synthetic(_))
                    && !self.fingerprints.contains_key(&key_of(data))
            });
            if is_unfit || stage.work.needs().iter().any(|id| lost.contains(id)) {
                lost.insert(&stage.id);
            }
        }
        for stage in stages.iter().rev() {
            let mut users = stages
                .iter()
                .filter(|user| user.work.needs().contains(&&stage.id))
                .peekable();
            if users.peek().is_some() && users.all(|user| lost.contains(&user.id)) {
                lost.insert(&stage.id);
            }
        }
        lost
    }

    /// The stage as it was finished before, or else made now. A pretraining that was made without a state that is asked for is
    /// repeated as far as that.
    fn stage(&mut self, number: usize, stage: &'a Stage) -> Result<Finished> {
        if let Some(imported) = self.imported.get(&stage.id) {
            return weights::as_imported(imported, stage);
        }
        let data = self.data_of(&stage.work);
        let finished = match self.runs.find_made_of(&stage.id, &data)? {
            Some(finished) => finished,
            None => self.make(number, stage, &data)?,
        };
        match &stage.work {
            Work::Pretrain(work) if !finished.lacks(&stage.work).is_empty() => {
                self.again(number, stage, work, finished)
            }
            Work::Pretrain(_)
            | Work::Extract(_)
            | Work::Finetune(_)
            | Work::Score(_)
            | Work::Draw(_) => Ok(finished),
        }
    }

    fn make(&mut self, number: usize, stage: &'a Stage, data: &str) -> Result<Finished> {
        if let Some(what) = plan::refusal(&stage.work) {
            return Err(Error::Unsupported {
                message: format!("this version cannot run {what}"),
            });
        }
        if let Some(error) = self.failed.remove(&stage.id) {
            return Err(error);
        }
        let attempt = match self.turn(number, stage, data)? {
            Turn::Make(attempt) => attempt,
            Turn::Made(finished) => return Ok(finished),
        };
        self.name_device();
        match &stage.work {
            Work::Pretrain(_) => self.pretrain(number, stage, data, attempt),
            Work::Extract(work) => {
                self.progress.begin(number, &stage.label);
                Error::caught(|| self.extract(&stage.id, work, attempt))
            }
            Work::Finetune(work) => self.finetune(number, stage, work, attempt),
            Work::Draw(work) => {
                self.progress.begin(number, &stage.label);
                Error::caught(|| self.draw(work, attempt))
            }
            Work::Score(work) => {
                self.progress.begin(number, &stage.label);
                self.score(work, attempt)
            }
        }
    }

    /// The settings of a finished pretraining, and the file of its state after `checkpoint`, which holds the backbone that an evaluation uses.
    fn backbone(
        &self,
        model: &StageId,
        checkpoint: Option<u32>,
        uses: &str,
    ) -> Result<(&'a hir::Pretrain, PathBuf)> {
        let trained = &self.done[model];
        let settings = settings_of(self.plan, model);
        weights::has_backbone(trained, settings, uses)?;
        Ok((settings, as_written(trained, trained.state(checkpoint))?))
    }

    fn extract(&mut self, id: &StageId, work: &Extract, attempt: Attempt) -> Result<Finished> {
        let start = Instant::now();
        let source = self.source(&work.eval.data)?;
        let options = self.reading();
        let Options { device, stop, .. } = *self.options;
        let (settings, weights) = self.backbone(&work.model, work.checkpoint, &work.eval.uses)?;
        let model = Trained {
            settings,
            weights: &weights,
        };
        let (set, clips) = features::extract(
            work,
            model,
            &source,
            device,
            (&options, self.few(id), attempt.path()),
            &mut |done, all| self.progress.count(done, all, "samples"),
            stop,
        )?;
        set.save(&attempt.path().join(records::folder::FEATURES))?;
        let owners = set.train.samples.iter().chain(&set.test.samples);
        let read: BTreeSet<_> = owners.collect();
        self.progress.end(&format!(
            "{} samples, {} values a clip",
            read.len(),
            set.width
        ));
        Ok(attempt.finish(&ExtractResult {
            samples: set.samples.len() as u64,
            width: set.width as u64,
            clips,
            seconds: start.elapsed().as_secs_f64(),
        })?)
    }

    /// Of a try, the training samples of a class that are enough for all scores of the features that the stage with this id makes.
    fn few(&self, id: &StageId) -> Option<u32> {
        let heads = self
            .plan
            .stages
            .iter()
            .filter_map(|stage| match &stage.work {
                Work::Score(work) => stage.work.needs().contains(&id).then_some(&work.head),
                Work::Pretrain(_) | Work::Extract(_) | Work::Finetune(_) | Work::Draw(_) => None,
            });
        let needed = heads.filter_map(|head| Some(head.choose()?.samples()));
        let most = needed.max().unwrap_or(1);
        self.options.smoke.then_some(most)
    }

    fn score(&mut self, work: &ScoreWork, attempt: Attempt) -> Result<Finished> {
        let start = Instant::now();
        let mut sets = vec![];
        let mut clips = ClipCounts::default();
        for id in std::iter::once(&work.features).chain(&work.beside) {
            let features = &self.done[id];
            sets.push(FeatureSet::load(&as_written(
                features,
                features.features(),
            )?)?);
            clips = clips.beside(features.result::<ExtractResult>()?.clips);
        }
        let set = FeatureSet::beside(sets, attempt.path())?;
        let Options { device, stop, .. } = *self.options;
        let mut means = Means {
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            device,
            progress: &mut |done, all, what| self.progress.count(done, all, what),
            stop,
        };
        let scores = score::score(&set, work, &mut means)?;
        predictions::write(&attempt.path().join(PREDICTIONS), &scores.predictions)?;
        let seconds = start.elapsed().as_secs_f64();
        let mut result = ScoreResult::of_folds(scores.folds, clips, seconds);
        result.solver = scores.solver;
        self.progress.end(&format!("{:.1} %", result.value));
        Ok(attempt.finish(&result)?)
    }

    fn reading(&self) -> loader::Options {
        reading(self.options)
    }

    /// Time between two resume points.
    fn save_every(&self) -> Duration {
        let minutes = self.options.site.save_minutes.unwrap_or(SAVE_MINUTES);
        Duration::from_secs_f64(60.0 * minutes)
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
        let before = work.needs();
        let before = joined(before.iter().map(|id| self.done[*id].run.data.as_str()));
        let own = work
            .reads()
            .and_then(|data| self.fingerprints.get(&key_of(data)))
            .map_or("", String::as_str);
        joined([before.as_str(), own].into_iter())
    }
}

/// One fingerprint for several: those that are empty, or stand there already, add nothing.
fn joined<'f>(fingerprints: impl Iterator<Item = &'f str>) -> String {
    let mut all: Vec<&str> = vec![];
    for fingerprint in fingerprints {
        if !fingerprint.is_empty() && !all.contains(&fingerprint) {
            all.push(fingerprint);
        }
    }
    match all.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        several => blake3::hash(several.join(" ").as_bytes())
            .to_hex()
            .to_string(),
    }
}

/// How data sets are read here, from their beginning.
fn reading(options: &Options) -> loader::Options {
    loader::Options {
        threads: options.loader_threads,
        ahead: AHEAD,
        max_bad_share: options.site.max_bad_share(),
        first_step: 0,
        part: loader::Part::WHOLE,
        augment_on: Some(options.device).filter(|device| device.is_cuda()),
    }
}

/// Prints what ended a stage, unless another has run into the same.
fn complain(progress: &Progress, said: &mut BTreeSet<String>, label: &str, error: &Error) {
    let text = error.in_full();
    if said.insert(text.clone()) {
        progress.print(&format!("error: {label}: {text}"));
    }
}

/// This file of a finished run, if it is the one that the run wrote.
fn as_written(finished: &Finished, path: PathBuf) -> Result<PathBuf> {
    if !path.exists() {
        let message = "it is missing, and its run is finished".to_owned();
        return Err(Error::Checkpoint { path, message });
    }
    match finished.wrote(&path)? {
        true => Ok(path),
        false => Err(Error::Checkpoint {
            path,
            message: "its bytes are not those that its run wrote: it is damaged, or another run's"
                .to_owned(),
        }),
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
