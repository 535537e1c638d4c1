//! Batches made ready beside the training: put together, on a GPU also copied and augmented, while the step before is running.
//!
//! A thread of its own takes what the loader's threads have made. What it does on a GPU goes into a stream of its own, so the copy of
//! one batch and its augmentation run beside the step on another; it hands a batch on only when all of it is done there, so that a
//! step never waits in its stream, and the time that it waits for its batch is all the time that the data cost it.

#[cfg(test)]
mod tests;

use super::admission::{Admission, Tally};
use super::batch::{Batch, Batches};
use super::loader::Loader;
use super::ordered::Gauge;
use crate::error::{Error, Result};
use crate::ffi::{self, SideStream};
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tch::Device;

/// Batches that wait beside the one in the making.
const READY: usize = 1;
/// Time between two looks whether the run is to end.
const LOOK: Duration = Duration::from_millis(50);

/// What comes of one step's batch: it, and what making it has met.
type Made = Result<(Batch, Met)>;

/// What making the batches has met.
struct Met {
    /// Files that were replaced for this one, with the reason.
    failed: BTreeMap<String, String>,
    /// Different clips that were asked for so far.
    asked: u64,
    /// Samples that were made so far.
    samples: u64,
}

/// A loader whose batches are made ready beside the training. Dropped at any moment, it ends all threads.
pub struct Prefetch<'a> {
    batches: Option<Receiver<Made>>,
    thread: Option<JoinHandle<()>>,
    stopper: Arc<AtomicBool>,
    gauge: Arc<Gauge>,
    admission: Admission,
    failed: BTreeMap<String, String>,
    /// As it was at the beginning.
    tally: Tally,
    asked: u64,
    samples: u64,
    /// Samples of a batch.
    batch: u64,
    device: Option<Device>,
    stop: &'a AtomicBool,
}

impl<'a> Prefetch<'a> {
    /// Starts on the batches of `loader`, from `first_step` on; once `stop` is set, [`Batches::next`] waits no longer.
    pub fn new(mut loader: Loader, first_step: u64, stop: &'a AtomicBool) -> Self {
        let admission = loader.take_admission();
        let (stopper, gauge) = (loader.stopper(), loader.gauge());
        let tally = loader.tally().clone();
        let (batch, device) = (loader.batch() as u64, loader.augment_on());
        let (out, batches) = bounded::<Made>(READY);
        let thread = std::thread::spawn(move || {
            // Joining and the few operators on the CPU leave the cores to the others.
            let _ = ffi::one_thread();
            let mut stream = match SideStream::enter(device.unwrap_or(Device::Cpu)) {
                Ok(stream) => stream,
                Err(error) => {
                    let _ = out.send(Err(error.into()));
                    return;
                }
            };
            for step in first_step..loader.steps() {
                let made = loader.next(step).and_then(|batch| {
                    stream.finish()?;
                    loader.give_back();
                    let met = Met {
                        failed: loader.take_failed(),
                        asked: loader.tally().tried.len() as u64,
                        samples: loader.samples_made(),
                    };
                    Ok((batch, met))
                });
                let is_over = made.is_err();
                if out.send(made).is_err() || is_over {
                    break;
                }
            }
        });
        Self {
            batches: Some(batches),
            thread: Some(thread),
            stopper,
            gauge,
            admission,
            failed: BTreeMap::new(),
            tally,
            asked: 0,
            samples: 0,
            batch,
            device,
            stop,
        }
    }

    /// Which clips are used and which are not.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }
}

impl Batches for Prefetch<'_> {
    fn next(&mut self, step: u64) -> Result<Batch> {
        let asked = Instant::now();
        let batches = self.batches.as_ref();
        let batches = batches.expect("Prefetch: the queue is open until it is dropped");
        let queued = self.gauge.ready() + self.batch * batches.len() as u64;
        let made = loop {
            match batches.recv_timeout(LOOK) {
                Ok(made) => break made,
                Err(RecvTimeoutError::Timeout) if self.stop.load(Ordering::Relaxed) => {
                    return Err(Error::Interrupted);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
                        resume_unwind(panic);
                    }
                    panic!("the plan has no step {step}, or it was asked for after an error");
                }
            }
        };
        let (mut batch, met) = made?;
        self.failed.extend(met.failed);
        (self.asked, self.samples) = (met.asked, met.samples);
        if self.device.is_some() {
            for view in batch.views.values() {
                ffi::read_here(view)?;
            }
        }
        batch.waited = asked.elapsed();
        batch.queued = queued;
        Ok(batch)
    }

    fn pace(&self) -> Option<f64> {
        self.gauge.pace()
    }

    fn cpu(&self) -> Option<Duration> {
        Some(self.gauge.cpu())
    }

    fn samples(&self) -> u64 {
        self.samples
    }

    fn asked(&self) -> u64 {
        self.asked
    }

    fn replaced(&self) -> BTreeMap<String, String> {
        self.failed.clone()
    }

    fn judge(&self, asked: u64, replaced: &BTreeMap<String, String>) -> Result<()> {
        let mut tally = self.tally.clone();
        tally.elsewhere += asked;
        tally.failed.extend(replaced.clone());
        tally.check()
    }
}

impl Drop for Prefetch<'_> {
    fn drop(&mut self) {
        self.stopper.store(true, Ordering::Relaxed);
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            // What it had to say was said by `next`; nobody asks any more.
            let _ = thread.join();
        }
    }
}
