//! The losses of a finished run, against which those of its repetition are held.

use super::METRICS;
use crate::error::{Error, Result};
use serde_json::Number;
use std::path::{Path, PathBuf};

/// How far a loss may lie from the recorded one where sums are rounded otherwise: of it, or of 1 where it is smaller. Rounding grows
/// over the steps; another seed, other data or another rate are further off.
const BOUND: f64 = 0.05;

/// The course that a repetition has to take.
#[derive(Clone, Debug)]
pub struct Reference {
    run: PathBuf,
    losses: Vec<Number>,
    /// Why sums may be rounded otherwise; then the losses need only be near.
    rounds: Option<String>,
}

impl Reference {
    /// That of the finished run in a folder; `rounds` says why the repetition may round otherwise.
    ///
    /// Errors: numbers that cannot be read.
    pub fn of(run: &Path, rounds: Option<String>) -> Result<Self> {
        #[derive(serde::Deserialize)]
        struct Line {
            loss: Number,
        }
        let path = run.join(METRICS);
        let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        // A line that cannot be read is one that was not recorded, and so are those behind it.
        let lines = text
            .lines()
            .map_while(|line| serde_json::from_str(line).ok());
        Ok(Self {
            run: run.to_owned(),
            losses: lines.map(|line: Line| line.loss).collect(),
            rounds,
        })
    }

    /// How losses are compared, for the end of a sentence.
    pub fn how(&self) -> String {
        self.rounds
            .as_ref()
            .map_or_else(String::new, |why| format!(" within {BOUND} ({why})"))
    }

    /// Whether this loss of `step` is that of the run.
    pub(super) fn check(&self, step: u64, loss: f64) -> Result<()> {
        // What was written and read again is compared with what was written and read again.
        let written = serde_json::to_string(&loss).ok();
        let now: Option<Number> = written.and_then(|text| serde_json::from_str(&text).ok());
        let then = usize::try_from(step)
            .ok()
            .and_then(|at| self.losses.get(at));
        let is_near = |then: f64| (loss - then).abs() <= BOUND * then.abs().max(1.0);
        let is_same = match self.rounds {
            None => now.is_some() && then == now.as_ref(),
            Some(_) => then.and_then(Number::as_f64).is_some_and(is_near),
        };
        if is_same {
            return Ok(());
        }
        Err(Error::NotRepeated {
            run: self.run.clone(),
            step,
            then: then.map_or_else(|| "not recorded".to_owned(), ToString::to_string),
            now: loss.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_held_against_the_recorded_ones_to_the_last_bit_or_nearly() {
        let folder = tempfile::tempdir().unwrap();
        let loss = 0.1 + 0.2;
        let lines = format!("{{\"step\":0,\"loss\":{loss}}}\n{{\"step\":1,\"loss\":-3.0}}\n{{\"st");
        std::fs::write(folder.path().join(METRICS), lines).unwrap();
        let exact = Reference::of(folder.path(), None).unwrap();
        assert_eq!(exact.how(), "");
        exact.check(0, loss).unwrap();
        let error = exact.check(0, 0.3).unwrap_err().to_string();
        assert!(
            error.contains("the loss of step 0 is 0.3, and was 0.30000000000000004"),
            "{error}"
        );
        let error = exact.check(2, 0.3).unwrap_err().to_string();
        assert!(error.contains("and was not recorded"), "{error}");
        let near = Reference::of(folder.path(), Some("2 threads".to_owned())).unwrap();
        assert_eq!(near.how(), " within 0.05 (2 threads)");
        near.check(0, 0.34).unwrap();
        near.check(1, -3.125).unwrap();
        for (step, loss) in [(0, 0.36), (1, -3.16), (1, f64::NAN), (2, 0.3)] {
            assert!(near.check(step, loss).is_err());
        }
    }
}
