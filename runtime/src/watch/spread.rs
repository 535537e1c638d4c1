//! The collapse meter: how widely the embeddings of a batch are spread over their sphere.

use crate::error::Result;
use crate::loss::l2;
use crate::ranks::Ranks;
use crate::train::StepMetrics;
use std::collections::BTreeMap;
use tch::Tensor;

/// A spread below this is one of embeddings that are nearly the same.
const LOW: f64 = 0.1;
/// Steps in a row that a spread is low before it is said: embeddings of random networks may begin close together.
const LONG: u64 = 200;

/// The spread of embeddings of one modality, the views of a batch one below the other, each `[B, D]`.
///
/// ```text
/// spread = sqrt(D) * mean over d of std over the rows of (z / |z|)_d
/// ```
///
/// 1 where the rows point evenly in all directions, for a unit vector then varies by 1/sqrt(D) in each dimension; 0 where all of
/// them are the same. It may pass 1 by little in small batches. The rows are those of all ranks. A scalar on the device of `views`;
/// `None` for less than two rows, which have no deviation.
pub fn of(views: &[&Tensor], ranks: &Ranks) -> Result<Option<Tensor>> {
    let views: Vec<Tensor> = views.iter().map(|view| view.detach()).collect();
    let own = views.iter().map(|view| view.size()[0]).sum::<i64>();
    let rows = own * ranks.count() as i64;
    if rows < 2 {
        return Ok(None);
    }
    let unit = l2(&Tensor::cat(&views, 0)); // [N, D]
    let width = unit.size()[1] as f64;
    let deviation = if ranks.is_alone() {
        unit.std_dim(0, true, false)
    } else {
        // Of the ranks' means and deviations, as each has as many rows.
        let mean = unit.mean_dim(0, false, None);
        let square = (&unit - &mean).square().mean_dim(0, false, None);
        let all = ranks.gather(&Tensor::stack(&[mean, square], 0))?; // [ranks, 2, D]
        let (means, squares) = (all.select(1, 0), all.select(1, 1));
        let between = means.var_dim(0, false, false);
        let whole = squares.mean_dim(0, false, None) + between;
        (whole * (rows as f64 / (rows - 1) as f64)).sqrt()
    };
    Ok(Some(deviation.mean(None) * width.sqrt()))
}

/// Watches the spread of a training and says once for each modality that it has been low for long.
#[derive(Clone, Debug, Default)]
pub struct Alarm {
    /// Steps in a row by modality; none once it was said.
    low: BTreeMap<String, Option<u64>>,
}

impl Alarm {
    /// What is to be said after this step.
    pub fn after(&mut self, line: &StepMetrics) -> Option<String> {
        let mut said = None;
        for (modality, spread) in &line.spread {
            let low = self.low.entry(modality.clone()).or_insert(Some(0));
            let Some(steps) = low else {
                continue;
            };
            *steps = if *spread < LOW { *steps + 1 } else { 0 };
            if *steps >= LONG {
                *low = None;
                said = Some(format!(
                    "the embeddings of `{modality}` have nearly collapsed: their spread was below {LOW} in all of the last {LONG} steps, \
                     and is {spread:.3}; 1 is healthy. A loss that falls to its least value by a constant says so in `crisscross check`; \
                     else lower `lr_b`"
                ));
            }
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    fn value(view: &Tensor) -> f64 {
        of(&[view], &Ranks::alone())
            .unwrap()
            .unwrap()
            .double_value(&[])
    }

    #[test]
    fn even_directions_have_spread_one_and_a_single_one_zero() {
        tch::manual_seed(3);
        let even = Tensor::randn([4000, 16], (Kind::Float, Device::Cpu));
        assert!((value(&even) - 1.0).abs() < 0.02, "{}", value(&even));
        assert!((value(&(&even * 7.0)) - value(&even)).abs() < 1e-5);
        let one = Tensor::ones([8, 16], (Kind::Float, Device::Cpu));
        assert!(value(&one) < 1e-6);
        // Half of the dimensions are dead, the others spread by 1/sqrt(8): the mean of 0 and sqrt(2).
        let half = Tensor::cat(&[even.narrow(1, 0, 8), even.narrow(1, 0, 8) * 0.0], 1);
        assert!(
            (value(&half) - 0.5f64.sqrt()).abs() < 0.02,
            "{}",
            value(&half)
        );
        // Two views of four rows are eight rows.
        let parts = [one.narrow(0, 0, 4), -one.narrow(0, 4, 4)];
        let both = of(&[&parts[0], &parts[1]], &Ranks::alone()).unwrap();
        let both = both.unwrap().double_value(&[]);
        // Rows +-1/4, four of each: the unbiased deviation is sqrt(8/7)/4 in each dimension.
        assert!((both - (8.0f64 / 7.0).sqrt()).abs() < 1e-5, "{both}");
        let single = of(&[&one.narrow(0, 0, 1)], &Ranks::alone()).unwrap();
        assert!(single.is_none());
    }

    #[test]
    fn a_long_collapse_is_said_once() {
        let mut line = StepMetrics {
            spread: [("v".to_owned(), 0.01), ("a".to_owned(), 0.9)].into(),
            ..StepMetrics::default()
        };
        let mut alarm = Alarm::default();
        for _ in 1..LONG {
            assert_eq!(alarm.after(&line), None);
        }
        line.spread.insert("v".to_owned(), 0.2);
        assert_eq!(alarm.after(&line), None);
        line.spread.insert("v".to_owned(), 0.01);
        let said: Vec<String> = (0..3 * LONG).filter_map(|_| alarm.after(&line)).collect();
        assert_eq!(said.len(), 1);
        assert!(
            said[0].contains("embeddings of `v`") && said[0].contains("0.010"),
            "{said:?}"
        );
    }
}
