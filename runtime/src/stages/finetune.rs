//! The finetunings of a plan: each where it was left, by this process alone.

use super::Walk;
use crate::error::{Error, Result};
use crate::eval::features::Trained;
use crate::eval::finetune::{Observer, Options, Tuned, finetune};
use crate::eval::score::{fold, predictions};
use crate::progress::Progress;
use compiler::plan::{Finetune, Stage};
use records::folder::{Attempt, Finished};
use records::predictions::{self, PREDICTIONS};
use records::record::ScoreResult;
use std::sync::atomic::Ordering;

impl Walk<'_> {
    /// Finetunes, and scores the test samples. Of several ranks this one does so alone: a batch is small, and BatchNorm looks across it.
    pub(super) fn finetune(
        &mut self,
        number: usize,
        stage: &Stage,
        work: &Finetune,
        attempt: Attempt,
    ) -> Result<Finished> {
        self.progress.begin(number, &stage.label);
        let source = self.source(&work.eval.data)?;
        let (settings, weights) = self.backbone(&work.model, work.checkpoint, &work.eval.uses)?;
        let model = Trained {
            settings,
            weights: &weights,
        };
        let mut options = Options {
            device: self.options.device,
            reading: self.reading(),
            few: self.options.smoke,
            save_every: self.save_every(),
            pause_after: self.options.smoke.then_some(1),
            stop: self.options.stop,
        };
        let mut watching = Watching(&mut self.progress);
        let mut tune = |options: &Options| {
            let of = (&stage.id, work);
            finetune(of, model, &source, attempt.path(), options, &mut watching)
        };
        let mut tuned = tune(&options);
        if self.options.smoke
            && matches!(tuned, Err(Error::Interrupted))
            && !self.options.stop.load(Ordering::Relaxed)
        {
            // What follows takes it up.
            options.pause_after = None;
            tuned = tune(&options);
        }
        self.finish_tuned(tuned?, attempt)
    }

    /// Makes the folder of a finetuning visible.
    fn finish_tuned(&mut self, tuned: Tuned, attempt: Attempt) -> Result<Finished> {
        let Tuned {
            set,
            splits,
            clips,
            seconds,
        } = tuned;
        let lines = splits
            .iter()
            .flat_map(|(split, judged)| predictions(&set, split, judged));
        let lines: Vec<_> = lines.collect();
        predictions::write(&attempt.path().join(PREDICTIONS), &lines)?;
        let folds = splits
            .iter()
            .map(|(split, judged)| fold(&set, split, judged, 1));
        let result = ScoreResult::of_folds(folds.collect(), clips, seconds);
        self.progress.end(&format!("{:.1} %", result.value));
        Ok(attempt.finish(&result)?)
    }
}

/// Shows a finetuning on its way.
struct Watching<'p>(&'p mut Progress);

impl Observer for Watching<'_> {
    fn step(&mut self, done: u64, all: u64, training: &str) {
        self.0.count(done, all, &format!("steps  {training}"));
    }

    fn say(&mut self, line: &str) {
        self.0.print(line);
    }
}
