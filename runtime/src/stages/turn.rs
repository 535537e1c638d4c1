//! Whose turn it is to make a stage: this process's, or that of another, which is waited for.

use super::Walk;
use crate::error::{Error, Result};
use compiler::plan::Stage;
use records::folder::{Attempt, Claim, Context, Finished, Holder, Runs};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Time between two looks at a process that is waited for.
const LOOK: Duration = Duration::from_millis(500);

/// What a walk does with a stage that was not finished.
pub(super) enum Turn {
    /// It makes it.
    Make(Attempt),
    /// Another process has made it meanwhile.
    Made(Finished),
}

impl Walk<'_> {
    /// The stage made from these data. As long as another process is at it this one waits, with no other stage in its hands, so that
    /// no two processes wait for one another.
    pub(super) fn turn(&mut self, number: usize, stage: &Stage, data: &str) -> Result<Turn> {
        self.wait_for(number, stage, &|runs, context| {
            runs.claim(stage, context, data)
        })
    }

    /// The same for the repetition of a finished run.
    pub(super) fn turn_again(
        &mut self,
        number: usize,
        stage: &Stage,
        finished: &Finished,
    ) -> Result<Turn> {
        let claim = |runs: &Runs, context: &Context| runs.claim_again(stage, context, finished);
        self.wait_for(number, stage, &claim)
    }

    fn wait_for(
        &mut self,
        number: usize,
        stage: &Stage,
        claim: &dyn Fn(&Runs, &Context) -> records::Result<Claim>,
    ) -> Result<Turn> {
        let mut said: Option<Holder> = None;
        loop {
            let holder = match claim(&self.runs, &self.context)? {
                Claim::Own(attempt) => return Ok(Turn::Make(*attempt)),
                Claim::Made(finished) => {
                    if said.is_some() {
                        self.progress.end("made by that process");
                    }
                    return Ok(Turn::Made(*finished));
                }
                Claim::Held(holder) => holder,
            };
            if said.as_ref() != Some(&holder) {
                self.progress.begin(number, &stage.label);
                self.progress.print(&format!(
                    "  {holder}, is making it: this one waits for what comes of it, and goes on from there if that process ends before"
                ));
                said = Some(holder.clone());
            }
            while holder.is_alive(&self.runs)? {
                if self.options.stop.load(Ordering::Relaxed) {
                    return Err(Error::Interrupted);
                }
                std::thread::sleep(LOOK);
            }
        }
    }
}
