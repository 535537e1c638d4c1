//! Learning rates over the steps of a training.

use compiler::hir::Schedule;
use compiler::rates::rate;

/// The learning rate of every step, as the array that the released code makes: [`rate`] says which.
pub fn rates(schedule: &Schedule, steps_per_epoch: u64, epochs: u32) -> Vec<f64> {
    let steps = steps_per_epoch * u64::from(epochs);
    let rates = (0..steps).map(|step| rate(schedule, step, steps_per_epoch, epochs));
    rates.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use compiler::units::Exact;

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
