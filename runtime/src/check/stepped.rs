//! Training steps on closed-form values: their losses on one device, to be held against those on another.

use super::fill;
use crate::checkpoint;
use crate::error::Result;
use crate::nn::parameters::Entry;
use crate::ranks::Ranks;
use crate::train::{Place, Training, on_device};
use compiler::hir::Precision;
use compiler::plan::Pretrain;
use serde::Serialize;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
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

/// For a loss that remembers nothing of clips.
pub(super) fn place(device: Device, ranks: &Ranks) -> Place<'_> {
    Place {
        device,
        ranks,
        clips: 0,
    }
}

/// Takes `steps` training steps of `work` on one batch of closed-form values.
///
/// Errors: of the views' shapes, and as a training's.
pub fn steps(work: &Pretrain, device: Device, steps: u64) -> Result<Stepped> {
    let mut training = Training::new(work, place(device, &Ranks::alone()))?;
    fill::fill(&training.model)?;
    let batch = fill::batch(work, work.settings.bs as usize)?;
    let batch = Rc::new(on_device(batch, device)?);
    let mut stepped = Stepped {
        precision: compiler::written::precision(work.settings.precision),
        batch: work.settings.bs,
        losses: vec![],
        gradients: vec![],
    };
    for step in 0..steps {
        if let Some(line) = training.step(step, &batch)? {
            stepped.losses.push(line.loss);
            stepped.gradients.push(line.gradient);
        }
    }
    Ok(stepped)
}

/// Writes the closed-form networks and views of `work` as safetensors, for another program: the networks by the names of a checkpoint, the
/// views as `input.v1`, ...
///
/// Errors: as [`steps`], and where the file cannot be written.
pub fn export(work: &Pretrain, to: &Path) -> Result<()> {
    let training = Training::new(work, place(Device::Cpu, &Ranks::alone()))?;
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
