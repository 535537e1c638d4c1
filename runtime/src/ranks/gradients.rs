//! Gradients of a whole batch: the mean over the ranks of those of their parts, sent in buckets while the backward pass goes on.

use super::Ranks;
use super::ffi::Buckets;
use crate::error::{Error, Result};
use tch::Tensor;

/// Bytes of the first bucket, which is to be on its way soon, and of the others; as in PyTorch's DistributedDataParallel.
const BYTES: (usize, usize) = (1 << 20, 25 << 20);

/// The gradients of some parameters, of one process or of several.
pub struct Gradients {
    parameters: Vec<Tensor>,
    ranks: Ranks,
    buckets: Option<Buckets>,
    /// Whether the buckets are in the order in which the gradients come.
    is_ordered: bool,
}

impl std::fmt::Debug for Gradients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "gradients of {} parameters, {:?}",
            self.parameters.len(),
            self.ranks
        )
    }
}

impl Gradients {
    /// Of these parameters.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn new(parameters: Vec<Tensor>, ranks: &Ranks) -> Result<Self> {
        let buckets = match ranks.group() {
            None => None,
            Some(group) => {
                let mut buckets = Buckets::new(group, &parameters)?;
                // Roughly from the back, until a pass has shown it.
                let order: Vec<usize> = (0..parameters.len()).rev().collect();
                buckets.lay(&order, BYTES)?;
                Some(buckets)
            }
        };
        Ok(Self {
            parameters,
            ranks: ranks.clone(),
            buckets,
            is_ordered: false,
        })
    }

    /// The gradient of the whole batch's `objective`, undefined for a parameter that it does not reach. With several ranks it is
    /// overwritten by the next call.
    ///
    /// # Errors
    /// What libtorch says; [`Error::Rank`] where another rank failed.
    pub fn of(&mut self, objective: &Tensor) -> Result<Vec<Tensor>> {
        let Some(buckets) = &mut self.buckets else {
            // Fresh gradients instead of those that libtorch would accumulate beside each parameter: nothing has to be zeroed.
            let gradients = Tensor::f_run_backward(&[objective], &self.parameters, false, false)?;
            return Ok(gradients);
        };
        buckets.begin();
        let backward = Tensor::f_run_backward(&[objective], &self.parameters, false, false);
        let gradients = backward
            .and_then(|_| buckets.end())
            .map_err(|cause| self.ranks.reason(cause.into()))?;
        if !self.is_ordered {
            self.order()?;
        }
        Ok(gradients)
    }

    /// Lays the buckets out as the gradients came at rank 0. The step is the same each time and everywhere, so its order is as well.
    fn order(&mut self) -> Result<()> {
        let Some(buckets) = &mut self.buckets else {
            return Ok(());
        };
        let own = buckets.came();
        let first = self.ranks.tell(|| own.clone())?;
        let sorted = |mut order: Vec<usize>| {
            order.sort_unstable();
            order
        };
        if sorted(own) != sorted(first.clone()) {
            return Err(Error::Unsupported {
                message: "the step reaches other parameters than at rank 0, so the ranks do not run the same".to_owned(),
            });
        }
        // The gradients just handed out lie in the buckets before; these are new ones.
        buckets.lay(&first, BYTES)?;
        self.is_ordered = true;
        Ok(())
    }
}
