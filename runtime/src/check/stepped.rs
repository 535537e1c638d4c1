//! Training steps on closed-form values: their losses on one device, to be held against those on another.

use super::fill;
use crate::bench::peak::wait;
use crate::bench::step::{clips, noise};
use crate::checkpoint;
use crate::error::{Error, Result};
use crate::nn::parameters::Entry;
use crate::ranks::Ranks;
use crate::train::{Place, Training, on_device, reads_late};
use compiler::hir::Precision;
use compiler::plan::Pretrain;
use cpu_time::ProcessTime;
use serde::Serialize;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
use tch::Device;

/// What steps came to.
#[derive(Clone, Debug, Serialize)]
pub struct Stepped {
    /// `fp32`, `bf16`, ...
    pub precision: &'static str,
    /// Samples of each step.
    pub batch: u32,
    /// The objective before each step.
    pub losses: Vec<f64>,
    /// The norm of the whole gradient of each step.
    pub gradients: Vec<f64>,
}

/// The pretraining with another batch and precision.
pub fn changed(work: &Pretrain, batch: u32, precision: Precision) -> Pretrain {
    let mut settings = work.settings.as_ref().clone();
    settings.bs = batch;
    settings.precision = precision;
    Pretrain {
        settings: Arc::new(settings),
        ..work.clone()
    }
}

/// With as many clips as the data set is said to have.
pub(super) fn place<'r>(work: &Pretrain, device: Device, ranks: &'r Ranks) -> Place<'r> {
    Place {
        device,
        ranks,
        clips: clips(work),
        micro_batch: None,
    }
}

/// This step, or the last of a training that has fewer.
///
/// Errors: a training without steps.
pub(super) fn within(training: &Training<'_>, step: u64) -> Result<u64> {
    let last = training.steps.checked_sub(1);
    last.map(|last| step.min(last))
        .ok_or_else(|| Error::Unsupported {
            message: "this pretraining takes no steps".to_owned(),
        })
}

/// Takes `steps` training steps of `work` on one batch of closed-form values.
///
/// Errors: of the views' shapes, and as a training's.
pub fn steps(work: &Pretrain, device: Device, steps: u64) -> Result<Stepped> {
    let mut training = Training::new(work, place(work, device, &Ranks::alone()))?;
    fill::fill(&training.model)?;
    take(&mut training, work, device, steps)
}

/// The same with the steps from the fourth on as one graph of the GPU; a processor stands in, and computes from the places of a graph.
///
/// Errors: as [`steps`], and why the step cannot be a graph.
pub fn captured(work: &Pretrain, device: Device, steps: u64) -> Result<Stepped> {
    let mut training = Training::new(work, place(work, device, &Ranks::alone()))?;
    fill::fill(&training.model)?;
    match device.is_cuda() {
        true => training.capture(1)?,
        false => training.stand_in_for_capture()?,
    }
    take(&mut training, work, device, steps)
}

fn take(
    training: &mut Training<'_>,
    work: &Pretrain,
    device: Device,
    steps: u64,
) -> Result<Stepped> {
    let batch = fill::batch(work, work.settings.bs as usize)?;
    let batch = Rc::new(on_device(batch, device)?);
    let mut stepped = Stepped {
        precision: compiler::written::precision(work.settings.precision),
        batch: work.settings.bs,
        losses: vec![],
        gradients: vec![],
    };
    for step in 0..steps {
        if let Some(line) = training.step(within(training, step)?, &batch)? {
            stepped.losses.push(line.loss);
            stepped.gradients.push(line.gradient);
        }
    }
    Ok(stepped)
}

/// What training steps took.
#[derive(Debug)]
pub struct Timed {
    /// Milliseconds of each.
    pub ms: Vec<f64>,
    /// Milliseconds of processor time of the whole process for each.
    pub cpu_ms: Vec<f64>,
    /// The objective of the last.
    pub loss: f64,
}

/// Times `steps` training steps on noise after `warm_up` others, all that a training does for one but the data: the device's numbers are
/// read late as in a training. Kernel by kernel, or as a graph.
///
/// Errors: as [`captured`].
pub fn timed(
    work: &Pretrain,
    device: Device,
    (warm_up, steps): (u64, u64),
    is_graph: bool,
) -> Result<Timed> {
    let mut training = Training::new(work, place(work, device, &Ranks::alone()))?;
    if is_graph {
        training.capture(1)?;
    }
    training.reads_late = reads_late(device);
    let batch = Rc::new(noise(work, device)?);
    let mut timed = Timed {
        ms: vec![],
        cpu_ms: vec![],
        loss: f64::NAN,
    };
    for step in 0..warm_up + steps {
        if step == warm_up {
            wait(device);
        }
        let (start, cpu) = (Instant::now(), ProcessTime::now());
        let mut read = training.step(within(&training, step)?, &batch)?;
        if step + 1 == warm_up + steps {
            // Numbers that are read late leave the last step to be waited for.
            read = training.settle()?.or(read);
            wait(device);
        }
        if step >= warm_up {
            timed.ms.push(1e3 * start.elapsed().as_secs_f64());
            timed.cpu_ms.push(1e3 * cpu.elapsed().as_secs_f64());
        }
        timed.loss = read.map_or(timed.loss, |line| line.loss);
    }
    Ok(timed)
}

/// Writes the closed-form networks and views of `work` as safetensors, for another program: the networks by the names of a checkpoint, the
/// views as `input.v1`, ...
///
/// Errors: as [`steps`], and where the file cannot be written.
pub fn export(work: &Pretrain, to: &Path) -> Result<()> {
    let training = Training::new(work, place(work, Device::Cpu, &Ranks::alone()))?;
    fill::fill(&training.model)?;
    let batch = fill::batch(work, work.settings.bs as usize)?;
    let views = batch
        .views
        .into_iter()
        .map(|((modality, view), tensor)| Entry {
            name: format!("input.{modality}{view}"),
            tensor,
            is_learned: false,
        });
    let views: Vec<Entry> = views.collect();
    checkpoint::save(to, training.model.entries().chain(&views))
}
