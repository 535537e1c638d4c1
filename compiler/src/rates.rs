//! Learning rates over the steps of a training.

use crate::hir::Schedule;
use crate::units::Exact;
use serde::Serialize;
use std::f64::consts::PI;

/// The rate of step `step`, from 0, of a training of so many steps per epoch and epochs.
///
/// `cosine`: the first W = warmup x steps per epoch rates rise in a line from 0 to `from`, both ends included; the other K of
/// the training are `to + (from - to) / 2 * (1 + cos(pi k / K))`, k from 0. So `from` occurs twice and `to` is never quite
/// reached.
///
/// Step k uses entry k. The released code sets the rate only after each step: its step 0 runs at Adam's 1e-3 in every group,
/// its step k at entry k - 1, and the last entry is never used. `late(..., first: 0.001)` is that.
pub fn rate(schedule: &Schedule, step: u64, steps_per_epoch: u64, epochs: u32) -> f64 {
    let steps = steps_per_epoch * u64::from(epochs);
    match schedule {
        Schedule::Constant(rate) => rate.to_f64(),
        Schedule::Cosine { from, to, warmup } => {
            let (from, to) = (from.to_f64(), to.to_f64());
            let rising = step_of(warmup, steps_per_epoch).min(steps);
            if step < rising {
                from * step as f64 / (rising - 1).max(1) as f64
            } else {
                let falling = (steps - rising) as f64;
                to + (from - to) / 2.0 * (1.0 + (PI * (step - rising) as f64 / falling).cos())
            }
        }
        Schedule::Multistep {
            base,
            milestones,
            gamma,
        } => {
            let steps = milestones.iter().map(|at| step_of(at, steps_per_epoch));
            let passed = steps.filter(|milestone| *milestone <= step).count() as i32;
            base.to_f64() * gamma.to_f64().powi(passed)
        }
        Schedule::Late { first, of } => match step.checked_sub(1) {
            None => first.to_f64(),
            Some(before) => rate(of, before, steps_per_epoch, epochs),
        },
    }
}

fn step_of(epochs: &Exact, steps_per_epoch: u64) -> u64 {
    (epochs.to_f64() * steps_per_epoch as f64).round() as u64
}

/// The rate at one step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Moment {
    /// The step, from 0.
    pub step: u64,
    /// What happens there: `warm-up ends`, `last step`.
    pub what: &'static str,
    /// The rate.
    pub rate: f64,
}

/// The steps at which a schedule does something, in order: the first, the end of the warm-up, each milestone, the last.
pub fn moments(schedule: &Schedule, steps_per_epoch: u64, epochs: u32) -> Vec<Moment> {
    let steps = steps_per_epoch * u64::from(epochs);
    let (mut marks, mut late) = (vec![(0, "first step")], 0);
    let mut inner = schedule;
    while let Schedule::Late { of, .. } = inner {
        late += 1;
        marks.push((late, "the schedule begins, late"));
        inner = of;
    }
    match inner {
        Schedule::Cosine { warmup, .. } => {
            let end = step_of(warmup, steps_per_epoch).min(steps);
            if end > 0 {
                marks.push((end + late, "warm-up ends"));
            }
        }
        Schedule::Multistep { milestones, .. } => {
            let steps = milestones.iter().map(|at| step_of(at, steps_per_epoch));
            marks.extend(steps.map(|step| (step + late, "milestone")));
        }
        Schedule::Constant(_) | Schedule::Late { .. } => {}
    }
    marks.extend(steps.checked_sub(1).map(|last| (last, "last step")));
    marks.retain(|(step, _)| *step < steps);
    marks.sort_by_key(|(step, _)| *step);
    marks.dedup_by_key(|(step, _)| *step);
    let moment = |(step, what)| Moment {
        step,
        what,
        rate: rate(schedule, step, steps_per_epoch, epochs),
    };
    marks.into_iter().map(moment).collect()
}

/// A rate to four digits: `0.0002`, `5.2e-13`.
pub fn printed(rate: f64) -> String {
    let rounded: f64 = format!("{rate:.3e}").parse().unwrap_or(rate);
    if rounded != 0.0 && rounded.abs() < 1e-6 {
        format!("{rounded:e}")
    } else {
        rounded.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Table S10, row K400: 1,000,000 / 2048 is 488 whole steps, two epochs of warm-up end behind step 975.
    #[test]
    fn moments_of_the_schedule_of_k400() {
        let cosine = Schedule::Cosine {
            from: Exact::new(2, 10_000),
            to: Exact::new(1, 10_000),
            warmup: Exact::whole(2),
        };
        let shown = |schedule: &Schedule| -> Vec<(u64, &'static str, String)> {
            let moments = moments(schedule, 488, 100).into_iter();
            moments.map(|m| (m.step, m.what, printed(m.rate))).collect()
        };
        assert_eq!(
            shown(&cosine),
            [
                (0, "first step", "0".to_owned()),
                (976, "warm-up ends", "0.0002".to_owned()),
                (48_799, "last step", "0.0001".to_owned()),
            ]
        );
        let late = Schedule::Late {
            first: Exact::new(1, 1000),
            of: Box::new(cosine),
        };
        let steps: Vec<(u64, String)> = shown(&late).into_iter().map(|(s, _, r)| (s, r)).collect();
        let wanted = [(0, "0.001"), (1, "0"), (977, "0.0002"), (48_799, "0.0001")];
        assert_eq!(steps, wanted.map(|(step, rate)| (step, rate.to_owned())));
    }

    #[test]
    fn moments_of_a_multistep_and_of_no_training() {
        let schedule = Schedule::Multistep {
            base: Exact::whole(1),
            milestones: vec![Exact::whole(1), Exact::new(3, 2), Exact::whole(9)],
            gamma: Exact::new(1, 2),
        };
        let rates: Vec<(u64, f64)> = moments(&schedule, 4, 2)
            .iter()
            .map(|m| (m.step, m.rate))
            .collect();
        assert_eq!(rates, [(0, 1.0), (4, 0.5), (6, 0.25), (7, 0.25)]);
        assert!(moments(&schedule, 4, 0).is_empty());
        assert_eq!(printed(0.000_000_123_42), "1.234e-7");
    }
}
