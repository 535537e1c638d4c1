//! What the training loop asks of the data: one batch of augmented views for each step.

use super::overlaps::Overlaps;
use crate::augment::Key;
use crate::error::Result;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tch::Tensor;

/// The augmented views of one step.
#[derive(Debug)]
pub struct Batch {
    /// By modality and view (from 1): `[B, 3, T, H, W]` or `[B, 1, bands, columns]`, float32, where they were
    /// augmented. Only the views that the step reads are there. Where the step has links behind its batch, a view is what is left to
    /// them: `[B, N]` for sound.
    pub views: BTreeMap<(String, u32), Tensor>,
    /// The place of each sample's random numbers, for links behind the batch.
    pub keys: Vec<Key>,
    /// Which clips the samples are of.
    pub clips: Clips,
    /// How much of each other the windows of each sample's views cover, in all.
    pub overlaps: Overlaps,
    /// The step that it is for, counted from 0 over all epochs.
    pub step: u64,
    /// How long the training loop had to wait for it.
    pub waited: Duration,
    /// Samples that were ready when it was asked for, those of its own batch among them.
    pub queued: u64,
}

/// The clips of a batch, as positions in their data set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clips {
    /// That of each sample.
    pub own: Vec<u32>,
    /// All that the training goes through, ascending.
    pub all: Arc<[u32]>,
}

/// Where batches come from: decoded and augmented clips, or the closed-form input of a test.
pub trait Batches {
    /// The batch of this optimiser step, counted from 0 over all epochs. Steps are asked for in order, from
    /// 0 on or from where a training is taken up.
    fn next(&mut self, step: u64) -> Result<Batch>;

    /// Samples per second that can be made where no step holds up the making; `None` where nobody counts.
    fn pace(&self) -> Option<f64> {
        None
    }

    /// Processor time that was spent on making batches so far; `None` where nobody counts.
    fn cpu(&self) -> Option<Duration> {
        None
    }

    /// Samples that were made so far, those among them that took the place of one that could not be read.
    fn samples(&self) -> u64 {
        0
    }

    /// How many different clips were asked for so far.
    fn asked(&self) -> u64 {
        0
    }

    /// Files that were replaced so far because they could not be read, and why.
    fn replaced(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// Whether as many files can be read as have to be, where all ranks together asked for so many clips and replaced these.
    ///
    /// # Errors
    /// [`crate::error::Error::TooManyFailures`].
    fn judge(&self, _asked: u64, _replaced: &BTreeMap<String, String>) -> Result<()> {
        Ok(())
    }
}
