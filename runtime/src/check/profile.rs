//! Where the time of a step goes: libtorch's own profile, added up by kernel and by kind.

use super::fill;
use super::stepped::{place, within};
use crate::bench::peak::wait;
use crate::bench::step::noise;
use crate::error::Result;
use crate::ffi::Profiler;
use crate::ranks::Ranks;
use crate::train::Training;
use compiler::plan::Pretrain;
use serde::Serialize;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Instant;
use tch::Device;

/// Steps before the profile: they choose kernels and take memory.
const WARM_UP: u64 = 3;
/// Names that are listed.
const LISTED: usize = 20;

/// The profile of some steps.
#[derive(Clone, Debug, Serialize)]
pub struct Profile {
    /// Steps of it.
    pub steps: u64,
    /// Milliseconds of a step.
    pub step_ms: f64,
    /// Milliseconds of a step in which the device works: on a GPU the sum of its kernels, on a processor that of the operations of this
    /// thread and those that it waits for.
    pub busy_ms: f64,
    /// Its parts by kind, milliseconds of a step.
    pub kinds: BTreeMap<&'static str, f64>,
    /// The names that take most.
    pub most: Vec<Kernel>,
}

/// All calls of one name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Kernel {
    /// Of a kernel on a GPU, of an operation on a processor.
    pub name: String,
    /// Calls in a step.
    pub calls: f64,
    /// Milliseconds of a step.
    pub ms: f64,
}

/// Profiles `steps` training steps on noise. What the profile itself costs is in `step_ms` and not in `busy_ms`.
///
/// Errors: as a training's, and what libtorch says.
pub fn profile(work: &Pretrain, device: Device, steps: u64) -> Result<Profile> {
    let mut training = Training::new(work, place(work, device, &Ranks::alone()))?;
    fill::fill(&training.model)?;
    let batch = Rc::new(noise(work, device)?);
    for step in 0..WARM_UP {
        training.step(within(&training, step)?, &batch)?;
    }
    wait(device);
    let profiler = Profiler::begin(device.is_cuda())?;
    let start = Instant::now();
    for step in WARM_UP..WARM_UP + steps {
        training.step(within(&training, step)?, &batch)?;
    }
    wait(device);
    let step_ms = 1e3 * start.elapsed().as_secs_f64() / steps as f64;
    let events = events(&profiler.end()?);
    let own = match device.is_cuda() {
        true => events.into_iter().filter(|event| event.is_gpu).collect(),
        false => without_inner(events),
    };
    Ok(summed(&own, steps, step_ms))
}

/// Something that took time.
#[derive(Clone, Debug, PartialEq)]
struct Event {
    is_gpu: bool,
    thread: u64,
    start: u64,
    ns: u64,
    name: String,
}

fn events(lines: &str) -> Vec<Event> {
    let event = |line: &str| {
        let mut fields = line.splitn(5, '\t');
        Some(Event {
            is_gpu: fields.next()? == "gpu",
            thread: fields.next()?.parse().ok()?,
            start: fields.next()?.parse().ok()?,
            ns: fields.next()?.parse().ok()?,
            name: fields.next()?.to_owned(),
        })
    };
    lines.lines().filter_map(event).collect()
}

/// The same events, each without the time of those that it called.
fn without_inner(mut events: Vec<Event>) -> Vec<Event> {
    events.retain(|event| !event.is_gpu);
    events.sort_by_key(|event| (event.thread, event.start, std::cmp::Reverse(event.ns)));
    let mut open: Vec<usize> = vec![];
    let mut inner = vec![0; events.len()];
    for at in 0..events.len() {
        let Event {
            thread, start, ns, ..
        } = events[at];
        let is_over = |before: &Event| before.thread != thread || before.start + before.ns <= start;
        while open.last().is_some_and(|&last| is_over(&events[last])) {
            open.pop();
        }
        if let Some(&caller) = open.last() {
            inner[caller] += ns;
        }
        open.push(at);
    }
    for (event, inner) in events.iter_mut().zip(inner) {
        event.ns = event.ns.saturating_sub(inner);
    }
    events
}

fn summed(events: &[Event], steps: u64, step_ms: f64) -> Profile {
    let ms = |ns: u64| ns as f64 / 1e6 / steps as f64;
    let mut kinds: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut names: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for event in events {
        *kinds.entry(kind(&event.name)).or_default() += event.ns;
        let of_name = names.entry(&event.name).or_default();
        *of_name = (of_name.0 + 1, of_name.1 + event.ns);
    }
    let mut most: Vec<_> = names.into_iter().collect();
    most.sort_by_key(|(_, (_, ns))| std::cmp::Reverse(*ns));
    let kernel = |(name, (calls, ns)): (&str, (u64, u64))| Kernel {
        name: name.to_owned(),
        calls: calls as f64 / steps as f64,
        ms: ms(ns),
    };
    Profile {
        steps,
        step_ms,
        busy_ms: ms(events.iter().map(|event| event.ns).sum()),
        kinds: kinds.into_iter().map(|(kind, ns)| (kind, ms(ns))).collect(),
        most: most.into_iter().take(LISTED).map(kernel).collect(),
    }
}

/// What a kernel or an operation is for, by the words in its name; the first that fits.
fn kind(name: &str) -> &'static str {
    const WORDS: [(&str, &[&str]); 7] = [
        (
            "layout and casts",
            &[
                "nchwtonhwc",
                "nhwctonchw",
                "copy",
                "memcpy",
                "memset",
                "transpose",
                "contiguous",
                "_to_copy",
                "cat",
            ],
        ),
        ("BatchNorm", &["batch_norm", "batchnorm", "bn_"]),
        (
            "optimiser",
            &["adam", "sgd", "multi_tensor", "foreach", "multitensor"],
        ),
        (
            "convolutions and products",
            &[
                "conv", "cudnn", "xmma", "cutlass", "wgrad", "dgrad", "fprop", "gemm", "mm",
                "linear", "mkldnn", "onednn",
            ],
        ),
        ("pooling", &["pool"]),
        ("reductions", &["reduce", "sum", "mean", "norm", "std"]),
        (
            "element by element",
            &[
                "elementwise",
                "relu",
                "threshold",
                "add",
                "mul",
                "div",
                "clamp",
                "where",
                "fill",
                "zero",
            ],
        ),
    ];
    let name = name.to_lowercase();
    let fits = |(_, words): &&(&str, &[&str])| words.iter().any(|word| name.contains(word));
    WORDS.iter().find(fits).map_or("other", |(kind, _)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_inner_operations_are_taken_off_their_callers() {
        let lines = "cpu\t1\t0\t100\taten::conv2d\ncpu\t1\t10\t60\taten::mkldnn_convolution\ncpu\t1\t20\t5\taten::empty\n\
                     cpu\t2\t30\t7\taten::copy_\ngpu\t1\t0\t9\tbn_fw\ncpu\t1\t200\t1\taten::add\nnonsense\n";
        let own = without_inner(events(lines));
        let of = |name: &str| {
            own.iter()
                .find(|event| event.name == name)
                .map(|event| event.ns)
        };
        assert_eq!(of("aten::conv2d"), Some(40));
        assert_eq!(of("aten::mkldnn_convolution"), Some(55));
        assert_eq!(
            (of("aten::copy_"), of("aten::add"), of("bn_fw")),
            (Some(7), Some(1), None)
        );
        let profile = summed(&own, 2, 3.0);
        assert_eq!(profile.kinds["convolutions and products"], 95.0 / 2e6);
        assert_eq!(
            (profile.most[0].name.as_str(), profile.most[0].calls),
            ("aten::mkldnn_convolution", 0.5)
        );
        assert_eq!(profile.busy_ms, 108.0 / 2e6);
    }

    #[test]
    fn kernels_are_told_by_their_names() {
        for (name, is) in [
            (
                "sm90_xmma_wgrad_implicit_gemm_bf16bf16_nhwc",
                "convolutions and products",
            ),
            ("void cudnn::bn_fw_tr_1C11_kernel_NCHW<float>", "BatchNorm"),
            (
                "void cudnn::ops::nchwToNhwcKernel<__half>",
                "layout and casts",
            ),
            (
                "void at::native::(anonymous namespace)::multi_tensor_apply_kernel<>",
                "optimiser",
            ),
            (
                "void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add>",
                "element by element",
            ),
            ("aten::mkldnn_convolution", "convolutions and products"),
            ("something", "other"),
        ] {
            assert_eq!(kind(name), is, "{name}");
        }
    }

    #[test]
    fn libtorch_says_what_it_does() {
        let profiler = Profiler::begin(false).unwrap();
        let x = tch::Tensor::ones([8, 8], (tch::Kind::Float, Device::Cpu));
        let _ = x.matmul(&x);
        let lines = profiler.end().unwrap();
        assert!(
            events(&lines).iter().any(|event| event.name == "aten::mm"),
            "{lines}"
        );
    }
}
