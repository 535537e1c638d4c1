//! Learning rates over the steps of a training.

use compiler::hir::Schedule;
use compiler::units::Exact;
use std::f64::consts::PI;

/// The learning rate of every step, as the array that the released code makes.
///
/// `cosine`: the first W = warmup x steps per epoch rates rise in a line from 0 to `from`, both ends included; the other K of
/// the training are `to + (from - to) / 2 * (1 + cos(pi k / K))`, k from 0. So `from` occurs twice and `to` is never quite
/// reached.
///
/// Step k uses entry k. The released code sets the rate only after each step: its step 0 runs at Adam's 1e-3 in every group,
/// its step k at entry k - 1, and the last entry is never used. `late(..., first: 0.001)` is that.
pub fn rates(schedule: &Schedule, steps_per_epoch: u64, epochs: u32) -> Vec<f64> {
    let steps = steps_per_epoch * u64::from(epochs);
    let step_of = |epochs: &Exact| (epochs.to_f64() * steps_per_epoch as f64).round() as u64;
    match schedule {
        Schedule::Constant(rate) => (0..steps).map(|_| rate.to_f64()).collect(),
        Schedule::Cosine { from, to, warmup } => {
            let (from, to) = (from.to_f64(), to.to_f64());
            let rising = step_of(warmup).min(steps);
            let falling = (steps - rising) as f64;
            let rate = |step| {
                if step < rising {
                    from * step as f64 / (rising - 1).max(1) as f64
                } else {
                    to + (from - to) / 2.0 * (1.0 + (PI * (step - rising) as f64 / falling).cos())
                }
            };
            (0..steps).map(rate).collect()
        }
        Schedule::Multistep {
            base,
            milestones,
            gamma,
        } => {
            let milestones: Vec<_> = milestones.iter().map(step_of).collect();
            let rate = |step| {
                let passed = milestones
                    .iter()
                    .filter(|&&milestone| milestone <= step)
                    .count() as i32;
                base.to_f64() * gamma.to_f64().powi(passed)
            };
            (0..steps).map(rate).collect()
        }
        Schedule::Late { first, of } => {
            let first = (steps > 0).then(|| first.to_f64());
            let late = rates(of, steps_per_epoch, epochs);
            let count = late.len().saturating_sub(1);
            first
                .into_iter()
                .chain(late.into_iter().take(count))
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multistep_falls_at_its_milestones() {
        let schedule = Schedule::Multistep {
            base: Exact::whole(1),
            milestones: vec![Exact::whole(1), Exact::new(3, 2)],
            gamma: Exact::new(1, 2),
        };
        assert_eq!(
            rates(&schedule, 4, 2),
            [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
        );
    }

    #[test]
    fn late_puts_one_rate_in_front_and_drops_the_last() {
        let late = Schedule::Late {
            first: Exact::whole(7),
            of: Box::new(Schedule::Multistep {
                base: Exact::whole(1),
                milestones: vec![Exact::whole(1)],
                gamma: Exact::new(1, 2),
            }),
        };
        assert_eq!(rates(&late, 2, 2), [7.0, 1.0, 1.0, 0.5]);
        assert_eq!(rates(&late, 1, 1), [7.0]);
        assert!(rates(&late, 2, 0).is_empty());
    }

    #[test]
    fn a_cosine_without_warmup_starts_at_its_base_and_one_of_a_single_step_is_finite() {
        let cosine = |warmup| Schedule::Cosine {
            from: Exact::whole(2),
            to: Exact::whole(1),
            warmup,
        };
        let falling = rates(&cosine(Exact::whole(0)), 2, 1);
        assert!((falling[0] - 2.0).abs() < 1e-15 && (falling[1] - 1.5).abs() < 1e-15);
        assert_eq!(rates(&cosine(Exact::whole(1)), 1, 1), [0.0]);
        assert_eq!(rates(&cosine(Exact::whole(9)), 3, 1).len(), 3);
        assert!(rates(&cosine(Exact::whole(9)), 3, 0).is_empty());
    }
}
