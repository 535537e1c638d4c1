//! The losses of a finished run, against which those of its repetition are held.

use super::METRICS;
use crate::error::{Error, Result};
use compiler::hir::Precision;
use serde_json::Number;
use std::path::{Path, PathBuf};

/// Steps whose losses have to be near the recorded ones where sums are rounded otherwise. Behind them rounding has grown, as in any
/// training, and no bound tells it from a mistake.
const HELD: u64 = 3;

/// By how much a loss of those behind the first step may be further off than that one, before which nothing has grown.
const GROWN: f64 = 10.0;

/// How far the first loss may be off: of it, or of 1 where it is smaller. Other data, another seed or another plan are further off.
fn near(precision: Precision, is_tf32: bool) -> f64 {
    match (precision, is_tf32) {
        (Precision::Fp64 | Precision::Fp32, false) => 1e-3,
        (Precision::Fp64 | Precision::Fp32, true)
        | (Precision::Bf16 | Precision::Fp16 | Precision::Amp, _) => 1e-2,
    }
}

/// The course that a repetition has to take.
#[derive(Clone, Debug)]
pub struct Reference {
    run: PathBuf,
    losses: Vec<Number>,
    /// Why sums may be rounded otherwise; then the losses need only be near, and only those of the first steps.
    rounds: Option<Rounds>,
}

/// Why losses may be rounded otherwise, and how far the first one may be off for that.
#[derive(Clone, Debug)]
struct Rounds {
    why: String,
    near: f64,
}

impl Rounds {
    /// How far the loss of `step` may be off, for the first steps.
    fn bound(&self, step: u64) -> Option<f64> {
        match step {
            0 => Some(self.near),
            1..HELD => Some(self.near * GROWN),
            HELD.. => None,
        }
    }
}

impl Reference {
    /// That of the finished run in a folder, of this precision, with TF32 or without; `rounds` says why the repetition may round otherwise.
    ///
    /// Errors: numbers that cannot be read.
    pub fn of(
        run: &Path,
        rounds: Option<String>,
        (precision, is_tf32): (Precision, bool),
    ) -> Result<Self> {
        #[derive(serde::Deserialize)]
        struct Line {
            loss: Number,
        }
        let path = run.join(METRICS);
        if !path.exists() {
            let message = "it is missing, and the course of the run with it".to_owned();
            return Err(Error::Checkpoint { path, message });
        }
        let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        // A line that cannot be read is one that was not recorded, and so are those behind it.
        let lines = text
            .lines()
            .map_while(|line| serde_json::from_str(line).ok());
        Ok(Self {
            run: run.to_owned(),
            losses: lines.map(|line: Line| line.loss).collect(),
            rounds: rounds.map(|why| Rounds {
                why,
                near: near(precision, is_tf32),
            }),
        })
    }

    /// How losses are compared, for the end of a sentence.
    pub fn how(&self) -> String {
        match &self.rounds {
            None => "each loss compared".to_owned(),
            Some(Rounds { why, near }) => format!(
                "the first loss compared within {near}, the next {} within {}, the others noted ({why}): it is a state of the same \
                 experiment, whose course differs by rounding",
                HELD - 1,
                near * GROWN
            ),
        }
    }

    /// Holds this loss of `step` against that of the run, and gives how far they are apart: of it, or of 1 where it is smaller.
    ///
    /// Errors: a loss that is another than rounding explains.
    pub(super) fn check(&self, step: u64, loss: f64) -> Result<Option<f64>> {
        // What was written and read again is compared with what was written and read again.
        let written = serde_json::to_string(&loss).ok();
        let now: Option<Number> = written.and_then(|text| serde_json::from_str(&text).ok());
        let then = usize::try_from(step)
            .ok()
            .and_then(|at| self.losses.get(at));
        let apart = then.and_then(Number::as_f64).map(|then| apart(loss, then));
        let found = match (&self.rounds, apart) {
            (None, _) => (now.is_some() && then == now.as_ref()).then_some(None),
            (Some(rounds), Some(apart)) => {
                let is_near = rounds.bound(step).is_none_or(|bound| apart <= bound);
                is_near.then_some(Some(apart))
            }
            (Some(_), None) => None,
        };
        found.ok_or_else(|| Error::NotRepeated {
            run: self.run.clone(),
            step,
            then: then.map_or_else(|| "not recorded".to_owned(), ToString::to_string),
            now: loss.to_string(),
        })
    }
}

/// How far a loss is from another: of that, or of 1 where it is smaller.
fn apart(loss: f64, then: f64) -> f64 {
    (loss - then).abs() / then.abs().max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(losses: &[f64]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let lines = losses
            .iter()
            .map(|loss| format!("{{\"step\":0,\"loss\":{loss:?}}}\n"));
        let text = lines.chain(["{\"st".to_owned()]).collect::<String>();
        std::fs::write(folder.path().join(METRICS), text).unwrap();
        folder
    }

    #[test]
    fn losses_are_held_against_the_recorded_ones_to_the_last_bit() {
        let loss = 0.1 + 0.2;
        let folder = run(&[loss, -3.0]);
        let exact = Reference::of(folder.path(), None, (Precision::Fp32, false)).unwrap();
        assert_eq!(exact.how(), "each loss compared");
        assert_eq!(exact.check(0, loss).unwrap(), None);
        let error = exact.check(0, 0.3).unwrap_err().to_string();
        assert!(
            error.contains("the loss of step 0 is 0.3, and was 0.30000000000000004"),
            "{error}"
        );
        let error = exact.check(2, 0.3).unwrap_err().to_string();
        assert!(error.contains("and was not recorded"), "{error}");
    }

    /// Rounding grows over the steps of a healthy training: what it has come to is noted.
    #[test]
    fn a_course_that_drifts_by_rounding_is_held_at_its_first_steps_alone() {
        let folder = run(&[0.5, -3.0, 0.25, 0.0559]);
        let why = Some("2 threads".to_owned());
        let near = Reference::of(folder.path(), why.clone(), (Precision::Fp32, false)).unwrap();
        let how = near.how();
        assert!(
            how.contains("within 0.001, the next 2 within 0.01, the others noted (2 threads): "),
            "{how}"
        );
        assert_eq!(near.check(0, 0.5).unwrap(), Some(0.0));
        let seen = near.check(1, -3.015).unwrap().unwrap();
        assert!((seen - 0.005).abs() < 1e-9, "{seen}");
        let seen = near.check(3, -0.0068).unwrap().unwrap();
        assert!((seen - 0.0627).abs() < 1e-9, "{seen}");
        for (step, loss) in [(0, 0.502), (1, -3.05), (2, f64::NAN), (4, 0.3)] {
            assert!(near.check(step, loss).is_err());
        }
        let half = Reference::of(folder.path(), why, (Precision::Bf16, false)).unwrap();
        half.check(0, 0.508).unwrap();
        half.check(0, 0.512).unwrap_err();
    }
}
