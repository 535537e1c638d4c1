//! What a training step costs on this machine: forwards, backwards, the optimiser; without data.

use super::Spread;
use super::peak::{Peak, peak, wait};
use crate::augment::Key;
use crate::check::stepped;
use crate::data::batch::{Batch, Clips};
use crate::data::overlaps::Overlaps;
use crate::data::reading::begun;
use crate::data::source::Ticks;
use crate::error::{Error, Result};
use crate::execute::Program;
use crate::ffi::Half;
use crate::memory;
use crate::nn;
use crate::ranks::Ranks;
use crate::train::{follow, gradients_on, groups};
use compiler::graph::Node;
use compiler::graph::networks;
use compiler::graph::work::{Flops, of_step};
use compiler::hir::{Clip, Precision};
use compiler::plan::Pretrain;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tch::{Device, Kind, Tensor};

/// Steps before those of a graph that count: it is recorded in the fourth.
const GRAPH_WARM_UP: u64 = 5;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Steps that count.
    pub steps: u32,
    /// Steps before them.
    pub warm_up: u32,
    /// Measure what the device can do at most, too.
    pub with_peak: bool,
}

/// What was measured. Times are medians over the steps.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// `cpu` or `cuda:0`.
    pub device: String,
    /// `fp32`, `bf16`, ...
    pub precision: &'static str,
    /// Samples of a step.
    pub batch: u32,
    /// Steps that count.
    pub steps: u32,
    /// Threads of libtorch.
    pub threads: usize,
    /// Samples per second.
    pub samples_per_s: Spread,
    /// Milliseconds of a whole training step on a batch that is there: its phases, and what watches and guards it.
    pub step_ms: Spread,
    /// Milliseconds from the views to the objective.
    pub forward_ms: Spread,
    /// Milliseconds back to the gradients.
    pub backward_ms: Spread,
    /// Milliseconds of a whole step as one graph of the GPU, where that is asked for.
    pub graph_ms: Option<Spread>,
    /// Why there is none although it is asked for.
    pub no_graph: Option<String>,
    /// Milliseconds of the optimiser.
    pub optimiser_ms: Spread,
    /// Processor time of the whole process for a step, milliseconds.
    pub cpu_ms: Spread,
    /// Floating-point operations of a step, counted on its graph.
    pub flops: Flops,
    /// The most that the device was seen to do in this precision.
    pub peak: Option<Peak>,
    /// Operations per second of the step over that peak.
    pub mfu: Option<f64>,
    /// The most memory that was taken at once, in steps: of a GPU, or of the machine by the whole process; where that is told.
    pub peak_memory_bytes: Option<u64>,
    /// The objective of the last step.
    pub loss: f64,
}

/// Takes training steps of `work` on noise and measures them, and then the phases of some, each waited for.
///
/// # Errors
/// Those of a training's step, and what libtorch says.
pub fn bench(work: &Pretrain, device: Device, options: &Options) -> Result<Figures> {
    // One that takes no steps is measured as if it took some.
    let mut trained = work.clone();
    Arc::make_mut(&mut trained.settings).ep = work.settings.ep.max(1);
    let (work, settings) = (&trained, &trained.settings);
    let steps = u64::from(options.steps.max(1));
    let count = (u64::from(options.warm_up), steps);
    let timed = stepped::timed(work, device, count, false)?;
    let peak_memory_bytes = memory::peak(device);
    let taken = phases(work, device, options)?;
    let phase = |which: usize| {
        let values = taken.iter().map(|step| 1e3 * step[which].as_secs_f64());
        Spread::of(values.collect())
    };
    let step_ms = Spread::of(timed.ms);
    let bs = f64::from(settings.bs);
    let flops = of_step(settings, &work.steps);
    let peak = options
        .with_peak
        .then(|| peak(arithmetic(settings.precision, device), device))
        .transpose()?;
    let (mut graph_ms, mut no_graph) = (None, None);
    if crate::device::settings().cuda_graph {
        // Last, for a device that has refused is not to be trusted; the other figures count all the same.
        match stepped::timed(work, device, (GRAPH_WARM_UP, steps), true) {
            Ok(timed) => graph_ms = Some(Spread::of(timed.ms)),
            Err(error @ (Error::Unsupported { .. } | Error::NotRecorded { .. })) => {
                no_graph = Some(error.to_string());
            }
            Err(error) => return Err(error),
        }
    }
    let per_s = |ms: f64| bs * 1e3 / ms;
    Ok(Figures {
        device: match device {
            Device::Cuda(index) => format!("cuda:{index}"),
            Device::Cpu | Device::Mps | Device::Vulkan => "cpu".to_owned(),
        },
        precision: compiler::written::precision(settings.precision),
        batch: settings.bs,
        steps: options.steps.max(1),
        threads: usize::try_from(tch::get_num_threads()).unwrap_or(1),
        samples_per_s: Spread {
            median: per_s(step_ms.median),
            least: per_s(step_ms.most),
            most: per_s(step_ms.least),
        },
        mfu: peak.map(|peak| flops.both() as f64 / (1e-3 * step_ms.median) / peak.flops_per_s),
        step_ms,
        forward_ms: phase(0),
        backward_ms: phase(1),
        optimiser_ms: phase(2),
        graph_ms,
        no_graph,
        cpu_ms: Spread::of(timed.cpu_ms),
        flops,
        peak,
        peak_memory_bytes,
        loss: timed.loss,
    })
}

/// How long the phases of steps take where each is waited for: from the views to the objective, back to the gradients, and the way down
/// with all that moves behind it.
fn phases(work: &Pretrain, device: Device, options: &Options) -> Result<Vec<[Duration; 3]>> {
    let settings = &work.settings;
    let program = Program::new(work)?;
    let alone = Ranks::alone();
    let model = program.model(work, (device, &alone), clips(work))?;
    let mut groups = groups(settings, &model)?;
    let mut way = gradients_on(&groups, &alone)?;
    let batch = noise(work, device)?;
    let mut taken = vec![];
    let steps = options.warm_up + options.steps.max(1);
    for step in 0..steps {
        wait(device);
        let start = Instant::now();
        let outputs = program.forward(&model, &batch, device)?;
        wait(device);
        let forward = start.elapsed();
        let gradients = way.of(&outputs.objective)?;
        wait(device);
        let backward = start.elapsed();
        follow(&gradients, &mut groups, None, |group| {
            let last = group.rates.len().saturating_sub(1);
            let rate = group.rates.get(last.min(step as usize));
            rate.copied().unwrap_or(0.0)
        })?;
        model.move_statistics()?;
        program.follow(&model, &outputs, &batch, steps.into(), None)?;
        wait(device);
        if step >= options.warm_up {
            taken.push([forward, backward - forward, start.elapsed() - backward]);
        }
    }
    Ok(taken)
}

/// A batch of noise as the step reads it, the same in every call: normal numbers in the shapes that the networks take; where a part of a chain
/// stands behind the batch, what is in front of it does with noisy frames and waves.
pub fn noise(work: &Pretrain, device: Device) -> Result<Batch> {
    let settings = &work.settings;
    let keys: Vec<Key> = (0..u64::from(settings.bs))
        .map(|sample| Key::new(0, sample, 0))
        .collect();
    let mut views = BTreeMap::new();
    tch::manual_seed(0);
    for step in work.steps.iter() {
        let Node::Batch { modality, view } = &step.node else {
            continue;
        };
        let Some(of) = settings.modality(modality) else {
            continue;
        };
        let ticks: Vec<Ticks> = keys
            .iter()
            .map(|_| ticks(&of.clip))
            .collect::<Result<_>>()?;
        let at = format!("{modality}/{view}");
        let own: Vec<Key> = keys.iter().map(|key| key.child(&at)).collect();
        let noise = match begun(work, (of, *view), &ticks, &own) {
            Some(begun) => begun,
            None => {
                let mut shape = vec![i64::from(settings.bs)];
                shape.extend(networks::input(&of.clip).into_iter().map(i64::from));
                Tensor::f_randn(&shape[..], (nn::kind(settings.precision), Device::Cpu))?
            }
        };
        views.insert((modality.clone(), *view), noise.f_to_device(device)?);
    }
    Ok(Batch {
        views,
        keys,
        clips: Clips {
            own: (0..settings.bs).collect(),
            all: (0..settings.bs).collect(),
        },
        overlaps: Overlaps::default(),
        step: 0,
        waited: Duration::ZERO,
        queued: 0,
    })
}

/// Noise as it is decoded for a clip.
fn ticks(clip: &Clip) -> Result<Ticks> {
    match clip {
        Clip::Video { frames, size, .. } => {
            let shape = [*frames, *size, *size, 3].map(i64::from);
            let frames = Tensor::f_randint(256, &shape[..], (Kind::Uint8, Device::Cpu))?;
            Ok(Ticks::Frames(frames))
        }
        Clip::Audio { samples, .. } => {
            let wave = Tensor::f_randn([i64::from(*samples)], (Kind::Float, Device::Cpu))?;
            Ok(Ticks::Wave(wave))
        }
        Clip::Text { .. } | Clip::Flow { .. } => Err(Error::Unsupported {
            message: "this version decodes pictures and sound alone".to_owned(),
        }),
    }
}

/// Clips of the data set that a loss remembers something of: as declared, and no fewer than a batch of them.
pub fn clips(work: &Pretrain) -> u64 {
    work.settings.data.clips().max(work.settings.bs.into())
}

/// The numbers that the networks compute with on this device.
fn arithmetic(precision: Precision, device: Device) -> Kind {
    match nn::half(precision, device) {
        Some(Half::Bfloat16) => Kind::BFloat16,
        Some(Half::Float16) => Kind::Half,
        None => nn::kind(precision),
    }
}
