//! What a training step costs on this machine: forwards, backwards, the optimiser; without data.

use super::Spread;
use super::peak::{Peak, peak, wait};
use crate::augment::Key;
use crate::check::stepped::timed;
use crate::data::batch::{Batch, Clips};
use crate::error::Result;
use crate::execute::Program;
use crate::ffi::Half;
use crate::memory;
use crate::nn;
use crate::ranks::Ranks;
use crate::train::{follow, gradients_on, groups};
use compiler::graph::Node;
use compiler::graph::networks;
use compiler::graph::work::{Flops, of_step};
use compiler::hir::Precision;
use compiler::plan::Pretrain;
use cpu_time::ProcessTime;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tch::{Device, Kind, Tensor};

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
    /// Milliseconds of a whole step.
    pub step_ms: Spread,
    /// Milliseconds from the views to the objective.
    pub forward_ms: Spread,
    /// Milliseconds back to the gradients.
    pub backward_ms: Spread,
    /// Milliseconds of a whole step as one graph of the GPU, where that is asked for.
    pub graph_ms: Option<Spread>,
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

/// Takes steps of `work` on noise and measures them.
///
/// # Errors
/// As [`Program::new`] and [`Model::new`], and what libtorch says.
pub fn bench(work: &Pretrain, device: Device, options: &Options) -> Result<Figures> {
    let settings = &work.settings;
    let program = Program::new(work)?;
    let alone = Ranks::alone();
    let model = program.model(work, (device, &alone), settings.bs.into())?;
    let mut groups = groups(settings, &model)?;
    let mut way = gradients_on(&groups, &alone)?;
    let batch = noise(work, device)?;
    let mut taken = vec![];
    let mut loss = 0.0;
    for step in 0..options.warm_up + options.steps.max(1) {
        wait(device);
        let (start, cpu) = (Instant::now(), ProcessTime::now());
        let outputs = program.forward(&model, &batch, device)?;
        loss = outputs.objective.double_value(&[]);
        let forward = start.elapsed();
        let gradients = way.of(&outputs.objective)?;
        wait(device);
        let backward = start.elapsed();
        follow(&gradients, &mut groups, None, |group| {
            let last = group.rates.len().saturating_sub(1);
            group
                .rates
                .get(last.min(step as usize))
                .copied()
                .unwrap_or(0.0)
        })?;
        let steps = options.warm_up + options.steps.max(1);
        model.move_statistics()?;
        program.follow(&model, &outputs, &batch, steps.into(), None)?;
        drop((gradients, outputs));
        wait(device);
        if step >= options.warm_up {
            taken.push([
                forward,
                backward - forward,
                start.elapsed() - backward,
                cpu.elapsed(),
            ]);
        }
    }
    let peak_memory_bytes = memory::peak(device);
    let graph_ms = crate::device::settings()
        .cuda_graph
        .then(|| timed(work, device, u64::from(options.steps.max(1)), true).map(Spread::of))
        .transpose()?;
    let ms = |of: &dyn Fn(&[Duration; 4]) -> Duration| {
        let values = taken.iter().map(|step| 1e3 * of(step).as_secs_f64());
        Spread::of(values.collect())
    };
    let step_ms = ms(&|step| step[..3].iter().sum());
    let bs = f64::from(settings.bs);
    let flops = of_step(settings, &work.steps);
    let peak = options
        .with_peak
        .then(|| peak(arithmetic(settings.precision, device), device))
        .transpose()?;
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
        forward_ms: ms(&|step| step[0]),
        backward_ms: ms(&|step| step[1]),
        graph_ms,
        optimiser_ms: ms(&|step| step[2]),
        cpu_ms: ms(&|step| step[3]),
        flops,
        peak,
        peak_memory_bytes,
        loss,
    })
}

/// Views of normal noise in the shapes that the step reads, the same in every call.
pub fn noise(work: &Pretrain, device: Device) -> Result<Batch> {
    let settings = &work.settings;
    let mut views = BTreeMap::new();
    tch::manual_seed(0);
    for step in work.steps.iter() {
        let Node::Batch { modality, view } = &step.node else {
            continue;
        };
        let Some(of) = settings.modality(modality) else {
            continue;
        };
        let mut shape = vec![i64::from(settings.bs)];
        shape.extend(networks::input(&of.clip).into_iter().map(i64::from));
        let noise = Tensor::f_randn(&shape[..], (nn::kind(settings.precision), Device::Cpu))?;
        views.insert((modality.clone(), *view), noise.f_to_device(device)?);
    }
    Ok(Batch {
        views,
        keys: (0..u64::from(settings.bs))
            .map(|sample| Key::new(0, sample, 0))
            .collect(),
        clips: Clips {
            own: (0..settings.bs).collect(),
            all: (0..settings.bs).collect(),
        },
        step: 0,
        waited: Duration::ZERO,
        queued: 0,
    })
}

/// The numbers that the networks compute with on this device.
fn arithmetic(precision: Precision, device: Device) -> Kind {
    match nn::half(precision, device) {
        Some(Half::Bfloat16) => Kind::BFloat16,
        Some(Half::Float16) => Kind::Half,
        None => nn::kind(precision),
    }
}
