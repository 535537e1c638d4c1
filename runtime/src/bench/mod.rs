//! What work costs on this machine: medians of repetitions, with the ends. The loader's own figures are in `data/bench.rs`.

pub mod peak;
pub mod step;

use serde::Serialize;

/// A quantity over the repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Half of the repetitions gave less.
    pub median: f64,
    /// The least of them.
    pub least: f64,
    /// The most of them.
    pub most: f64,
}

impl Spread {
    /// Median and ends; of an even number the upper of the two in the middle.
    ///
    /// # Panics
    /// Where there are no values.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self {
            median: values[values.len() / 2],
            least: values[0],
            most: values[values.len() - 1],
        }
    }
}
