//! The running statistics of BatchNorm layers, and how they move where a step takes statistics over groups of samples.

use crate::error::Result;
use crate::ffi;
use crate::ranks::Ranks;
use std::cell::RefCell;
use std::rc::Rc;
use tch::{Tensor, no_grad};

/// The share by which a call, or a step of groups, moves running statistics.
pub const MOMENTUM: f64 = 0.1;

/// The running statistics of one layer.
#[derive(Debug)]
pub struct Running {
    /// `[C]` each; their storage is that of the entries of the network.
    mean: Tensor,
    variance: Tensor,
    /// How often they have moved: a 64-bit integer.
    calls: Tensor,
    collected: RefCell<Option<Collected>>,
}

/// Statistics of groups that have not moved them yet.
#[derive(Debug)]
struct Collected {
    /// Sums of means and of variances.
    sums: [Tensor; 2],
    groups: u32,
}

impl Running {
    /// Those with this storage.
    pub fn new([mean, variance, calls]: [Tensor; 3]) -> Self {
        Self {
            mean,
            variance,
            calls,
            collected: RefCell::new(None),
        }
    }

    /// Mean and variance.
    pub fn tensors(&self) -> [&Tensor; 2] {
        [&self.mean, &self.variance]
    }

    /// Counts a call that moves them.
    pub fn count(&self) {
        let _ = no_grad(|| self.calls.shallow_clone().g_add_scalar_(1));
    }

    /// Collects mean and unbiased variance of a group.
    pub fn collect(&self, seen: &[Tensor; 2]) {
        let mut collected = self.collected.borrow_mut();
        let sum = |before: &Tensor, seen: &Tensor| no_grad(|| before + seen);
        *collected = Some(match collected.take() {
            None => Collected {
                sums: seen.each_ref().map(Tensor::shallow_clone),
                groups: 1,
            },
            Some(Collected { sums, groups }) => Collected {
                sums: [sum(&sums[0], &seen[0]), sum(&sums[1], &seen[1])],
                groups: groups + 1,
            },
        });
    }

    /// Forgets what was collected.
    pub fn forget(&self) {
        self.collected.replace(None);
    }
}

/// Moves the statistics of these layers towards the mean of what was collected since they moved before, on all ranks; those of a
/// layer for which nothing was stay.
///
/// # Errors
/// What libtorch says; [`crate::error::Error::Rank`].
pub fn move_all<'r>(layers: impl Iterator<Item = &'r Rc<Running>>, ranks: &Ranks) -> Result<()> {
    let (mut running, mut seen) = (vec![], vec![]);
    for layer in layers {
        let Some(Collected { sums, groups }) = layer.collected.take() else {
            continue;
        };
        layer.count();
        running.extend(layer.tensors().map(Tensor::shallow_clone));
        seen.extend(sums.map(|sum| sum / f64::from(groups)));
    }
    let Some(first) = running.first() else {
        return Ok(());
    };
    let sizes: Vec<i64> = seen.iter().map(|of| of.size()[0]).collect();
    // Each rank has as many groups.
    let seen = no_grad(|| ranks.mean(&Tensor::cat(&seen, 0)))?.split_with_sizes(&sizes, 0);
    let share = Tensor::f_full([1], MOMENTUM, (first.kind(), first.device()))?;
    Ok(ffi::lerp(&running, &seen, &share)?)
}
