//! How much of each other the windows of the views cover, as they are drawn: what [`compiler::time`] works out of a law, measured.

use super::sampler::Windows;
use compiler::hir::Modality;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a whole window counts as.
const WHOLE: f64 = 1e9;

/// Sums over samples.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlaps {
    /// How many samples.
    samples: u64,
    /// Of each pair of views, those of the first modality in front, the share of the shorter window that the other covers, in
    /// billionths: sums of whole numbers are the same in any order.
    covered: Vec<u64>,
}

impl Overlaps {
    /// Those of one sample, whose modalities have windows of so many seconds.
    pub fn of(windows: &Windows, seconds: &[f64]) -> Self {
        let of_modality = |(starts, seconds): (&Vec<f64>, &f64)| -> Vec<(f64, f64)> {
            starts
                .iter()
                .map(|start| (*start, start + seconds))
                .collect()
        };
        let views: Vec<(f64, f64)> = windows
            .starts
            .iter()
            .zip(seconds)
            .flat_map(of_modality)
            .collect();
        let covered = pairs_of(&views).map(|(x, y)| {
            let shorter = (x.1 - x.0).min(y.1 - y.0);
            let common = (x.1.min(y.1) - x.0.max(y.0)).clamp(0.0, shorter);
            (WHOLE * common / shorter).round() as u64
        });
        Self {
            samples: 1,
            covered: covered.collect(),
        }
    }

    /// With those of other samples of the same training.
    pub fn add(&mut self, other: &Self) {
        self.samples += other.samples;
        self.covered
            .resize(other.covered.len().max(self.covered.len()), 0);
        for (sum, covered) in self.covered.iter_mut().zip(&other.covered) {
            *sum += covered;
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.samples == 0
    }

    /// The mean of each pair, from 0 to 1: `v1a2`.
    pub fn means(&self, modalities: &[Modality], views: u32) -> BTreeMap<String, f64> {
        let views: Vec<String> = (modalities.iter())
            .flat_map(|modality| (1..=views).map(|view| format!("{}{view}", modality.name)))
            .collect();
        let names = pairs_of(&views).map(|(x, y)| format!("{x}{y}"));
        let means = (self.covered.iter()).map(|sum| *sum as f64 / WHOLE / self.samples as f64);
        names.zip(means).collect()
    }
}

/// All pairs, the first of each in front.
fn pairs_of<T>(all: &[T]) -> impl Iterator<Item = (&T, &T)> {
    (all.iter().enumerate()).flat_map(|(at, x)| all[at + 1..].iter().map(move |y| (x, y)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::fixtures::{audio, modality, video};

    #[test]
    fn the_share_of_the_shorter_window_counts() {
        // Pictures of 0.5 s at 0 and 0.25 s, sound of 2 s at 0.125 and 5 s.
        let windows = Windows {
            starts: vec![vec![0.0, 0.25], vec![0.125, 5.0]],
        };
        let mut sum = Overlaps::default();
        assert!(sum.is_empty());
        sum.add(&Overlaps::of(&windows, &[0.5, 2.0]));
        let apart = Windows {
            starts: vec![vec![0.0, 9.0], vec![4.0, 4.0]],
        };
        sum.add(&Overlaps::of(&apart, &[0.5, 2.0]));
        let modalities = [
            modality("v", video(8, 112), vec![]),
            modality("a", audio(32_000), vec![]),
        ];
        let means = sum.means(&modalities, 2);
        let due = [
            ("a1a2", 0.5),
            ("v1a1", 0.375),
            ("v1a2", 0.0),
            ("v1v2", 0.25),
            ("v2a1", 0.5),
            ("v2a2", 0.0),
        ];
        assert_eq!(
            means,
            due.map(|(pair, mean)| (pair.to_owned(), mean)).into()
        );
    }
}
