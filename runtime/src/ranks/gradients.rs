//! Gradients of a whole batch: the mean over the ranks of those of their parts, sent in buckets while the backward pass goes on.

use super::Ranks;
use super::ffi::Buckets;
use crate::error::{Error, Result};
use crate::ffi::Mark;
use tch::Tensor;

/// Bytes of the first bucket, which is to be on its way soon, and of the others; as in PyTorch's DistributedDataParallel.
const BYTES: (usize, usize) = (1 << 20, 25 << 20);

/// The gradients of some parameters, of one process or of several.
pub struct Gradients {
    parameters: Vec<Tensor>,
    ranks: Ranks,
    buckets: Option<Buckets>,
    /// The order in which the gradients come, in which the buckets then lie; empty until a pass has shown it.
    order: Vec<usize>,
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
            order: vec![],
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
        self.wait()?;
        if self.order.is_empty() {
            self.find_order()?;
        }
        Ok(gradients)
    }

    /// The order in which the buckets lie since a pass has shown it. From three ranks on how a sum is rounded depends on where in its bucket
    /// a number lies, so a training that goes on lays them as they lay.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// Lays the buckets out in this order, if it is one and there are any.
    ///
    /// # Errors
    /// What libtorch says; an order of other parameters.
    pub fn lay(&mut self, order: &[usize]) -> Result<()> {
        let Some(buckets) = self.buckets.as_mut().filter(|_| !order.is_empty()) else {
            return Ok(());
        };
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        let is_some_of_them = sorted.windows(2).all(|pair| pair[0] < pair[1])
            && sorted.last() < Some(&self.parameters.len());
        if !is_some_of_them {
            return Err(Error::Unsupported {
                message: "the order of gradients is one of other parameters".to_owned(),
            });
        }
        buckets.lay(order, BYTES)?;
        order.clone_into(&mut self.order);
        Ok(())
    }

    /// Waits on a GPU until the gradients are there, which another rank may never send: what is given to the device behind them would step
    /// on them all the same, and no state of the training would be left.
    fn wait(&self) -> Result<()> {
        let device = self.parameters.first().map(Tensor::device);
        let Some(device) = device.filter(|device| device.is_cuda()) else {
            return Ok(());
        };
        let mark = Mark::set(device)?;
        match self.ranks.wait(|| Ok(mark.has_passed()?))? {
            true => Ok(()),
            false => self.ranks.check(),
        }
    }

    /// Lays the buckets out as the gradients came at rank 0. The step is the same each time and everywhere, so its order is as well.
    fn find_order(&mut self) -> Result<()> {
        let Some(buckets) = &self.buckets else {
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
        self.lay(&first)
    }
}
