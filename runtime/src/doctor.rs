//! What this engine was built with and what it finds on the machine.

use crate::device::{TORCH_VERSION, device, settings};
use crate::error::{Error, Result};
use crate::ffi;
use crate::ranks::Ranks;
use records::launch::Launch;
use records::record::Environment;
use records::site::MemoryFormat;
use std::collections::BTreeSet;
use std::path::Path;
use tch::{Cuda, Device};

/// What a number may depend on beside the plan.
pub fn environment(device: Device) -> Result<Environment> {
    Ok(Environment {
        host: host(),
        device: name_of(device),
        threads: u32::try_from(tch::get_num_threads()).unwrap_or(0),
        torch: Some(ffi::torch_version()?).filter(|version| !version.is_empty()),
        cuda: match device.is_cuda() {
            true => ffi::cuda_version().ok().flatten(),
            false => None,
        },
        ffmpeg: ffmpeg(),
        tf32: tf32(device)?,
        memory_format: format(device, settings().memory_format),
        cuda_graph: device.is_cuda().then(|| settings().cuda_graph),
        ranks: None,
        micro_batch: None,
        steps: None,
    })
}

/// The same of a part of what these ranks compute.
pub fn environment_of(device: Device, ranks: &Ranks) -> Result<Environment> {
    Ok(Environment {
        ranks: ranks.recorded(),
        ..environment(device)?
    })
}

/// `cpu`, or the name of the GPU; its number where the driver does not name it.
fn name_of(device: Device) -> String {
    match device {
        Device::Cuda(index) => ffi::gpu_name(index).unwrap_or_else(|_| format!("cuda:{index}")),
        Device::Cpu | Device::Mps | Device::Vulkan => "cpu".to_owned(),
    }
}

/// What these ranks compute on, in a line for people.
///
/// Errors: another rank has failed.
pub fn device_line(device: Device, ranks: &Ranks) -> Result<String> {
    Ok(line_of(&ranks.collect((host(), name_of(device)))?))
}

/// `device: cpu`, `device: 8 ranks on 2 machines, NVIDIA H100`: machine and device of each rank.
fn line_of(ranks: &[(String, String)]) -> String {
    let hosts: BTreeSet<&str> = ranks.iter().map(|(host, _)| host.as_str()).collect();
    let devices: BTreeSet<&str> = ranks.iter().map(|(_, device)| device.as_str()).collect();
    let devices = Vec::from_iter(devices).join(" and ");
    match (ranks.len(), hosts.len()) {
        (0 | 1, _) => format!("device: {devices}"),
        (ranks, 0 | 1) => format!("device: {ranks} ranks on {devices}"),
        (ranks, hosts) => format!("device: {ranks} ranks on {hosts} machines, {devices}"),
    }
}

/// Whether this GPU rounds factors of float32 to TF32 as libtorch is set now; none of a processor.
fn tf32(device: Device) -> Result<Option<bool>> {
    if !device.is_cuda() {
        return Ok(None);
    }
    let (products, convolutions) = ffi::tf32()?;
    Ok(Some(products || convolutions))
}

/// How maps lie on this device, where it is not left to us; on a processor there are two ways.
fn format(device: Device, asked: MemoryFormat) -> Option<String> {
    let is = match (device.is_cuda(), asked) {
        (_, MemoryFormat::Auto) | (false, MemoryFormat::Contiguous) => return None,
        (false, MemoryFormat::ChannelsLast | MemoryFormat::Pictures) => MemoryFormat::ChannelsLast,
        (true, asked) => asked,
    };
    Some(is.name().to_owned())
}

/// How it computes, in lines as those of [`report`].
pub fn arithmetic(device: Device) -> Result<Vec<String>> {
    let tf32 = match tf32(device)? {
        None => "not on a processor: float32 is float32",
        Some(false) => "off: float32 is float32 (`tf32 = true` in `crisscross.toml` allows it)",
        Some(true) => "on: factors of float32 products are rounded to 10 bits, distances are not",
    };
    let format = match (device.is_cuda(), settings().memory_format) {
        (false, MemoryFormat::Auto | MemoryFormat::Contiguous) => {
            "clips as pictures, channels last"
        }
        (false, MemoryFormat::ChannelsLast | MemoryFormat::Pictures) => {
            "channels last, clips as pictures"
        }
        (true, MemoryFormat::Auto) => "auto: channels_last in 16 bits, contiguous otherwise",
        (true, format) => format.name(),
    };
    let graph = match (device.is_cuda(), settings().cuda_graph) {
        (false, _) => "none on a processor",
        (true, true) => "a training step is given as one, where it can be",
        (true, false) => "off (`cuda_graph = true` in `crisscross.toml`)",
    };
    let lines = [("TF32", tf32), ("maps", format), ("CUDA graph", graph)];
    Ok(lines.map(|(what, how)| format!("{what:<13}{how}")).into())
}

/// The device of this name, or without one the first GPU where a driver is loaded, the CPU elsewhere.
///
/// Errors: it is not there; without a name, a driver is loaded but no GPU can be used: nobody wants to find out after a night.
pub fn device_or_best(name: Option<&str>) -> Result<Device> {
    match name {
        Some(name) => device(name),
        None => Ok(best(driver(), || device("cuda"))?.unwrap_or(Device::Cpu)),
    }
}

/// The GPU where nobody has named a device; none where there is no driver. `first` looks for it: libtorch's CUDA half, which takes a
/// second to load, would find nothing without a driver.
fn best(driver: Driver, first: impl FnOnce() -> Result<Device>) -> Result<Option<Device>> {
    match driver {
        Driver::None => Ok(None),
        Driver::Host => Ok(first().ok()),
        Driver::Loaded => match first() {
            Err(Error::Device { device, message }) => Err(Error::Device {
                device,
                message: format!(
                    "NVIDIA's driver is loaded, but {message}, or `device = \"cpu\"` in `crisscross.toml`"
                ),
            }),
            other => other.map(Some),
        },
    }
}

/// The device of one of several ranks: of GPUs that of its number among the ranks of this machine.
pub fn device_of(launch: &Launch, name: Option<&str>) -> Result<Device> {
    let first = match name {
        Some("cuda") => Some(device("cuda")?),
        None => best(driver(), || device("cuda"))?,
        Some("cpu") => None,
        Some(name) => {
            return Err(Error::Device {
                device: name.to_owned(),
                message: "each of several ranks has a GPU of its own; write `cuda` or `cpu`"
                    .to_owned(),
            });
        }
    };
    let Some(first) = first else {
        return Ok(Device::Cpu);
    };
    let count = usize::try_from(Cuda::device_count()).unwrap_or(0);
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    // `run --ranks` shows all of them the same.
    let is_ours = launch.served.as_deref() == Some("");
    let is_shown_its_own = !is_ours && (is_set("CUDA_VISIBLE_DEVICES") || is_set("SLURM_PROCID"));
    match gpu_of(launch, count, is_shown_its_own)? {
        0 => Ok(first),
        index => Ok(Device::Cuda(index)),
    }
}

/// The number of the GPU of one of several ranks, of the `count` that it sees. `is_shown_its_own` where the starter may have shown it
/// its own alone, as Slurm can.
fn gpu_of(launch: &Launch, count: usize, is_shown_its_own: bool) -> Result<usize> {
    let ranks = launch.local_ranks;
    match count {
        1 if is_shown_its_own => Ok(0),
        count if ranks <= count => Ok(launch.local_rank),
        count => Err(Error::Device {
            device: format!("cuda:{}", launch.local_rank),
            message: format!(
                "{ranks} ranks on this machine want a GPU each, and it has {count}; start fewer, or use `--device cpu`"
            ),
        }),
    }
}

/// `cuda` or `cpu`: what must be the same on all ranks.
pub fn kind_of(device: Device) -> &'static str {
    match device {
        Device::Cuda(_) => "cuda",
        Device::Cpu | Device::Mps | Device::Vulkan => "cpu",
    }
}

/// What was found, in lines of a name and its state; what is missing comes with the way to get it.
pub fn report() -> Vec<String> {
    let line = |name: &str, state: String| format!("{name:<13}{state}");
    let torch = match ffi::torch_version() {
        Ok(found) if found == TORCH_VERSION => found,
        Ok(found) => format!(
            "{found}, but {TORCH_VERSION} is needed: `pip install torch=={TORCH_VERSION}`, then `cargo xtask setup`"
        ),
        Err(error) => format!("does not answer: {error}"),
    };
    let mut lines = vec![
        line("engine", env!("CARGO_PKG_VERSION").to_owned()),
        line("torch", torch),
        line(
            "libtorch",
            libtorch().unwrap_or_else(|| "linked statically".to_owned()),
        ),
    ];
    lines.push(line(
        "CUDA",
        match (driver() == Driver::Loaded, device("cuda")) {
            (_, Ok(_)) => format!(
                "{}, {} GPU(s), cuDNN {}",
                ffi::cuda_version().ok().flatten().unwrap_or_default(),
                Cuda::device_count(),
                if Cuda::cudnn_is_available() {
                    "found"
                } else {
                    "not found"
                }
            ),
            (true, Err(error)) => format!("a driver is loaded, but {error}"),
            (false, Err(_)) => "no NVIDIA driver: training runs on the CPU".to_owned(),
        },
    ));
    lines.push(line(
        "FFmpeg",
        ffmpeg().unwrap_or_else(|| {
            "not built in: only rendered clips can be used; build with the feature `media`"
                .to_owned()
        }),
    ));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    lines.push(line(
        "cores",
        format!("{cores}, of which libtorch uses {}", tch::get_num_threads()),
    ));
    lines
}

/// The file of libtorch that this process has mapped.
fn libtorch() -> Option<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let mut files = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5));
    files
        .find(|file| file.contains("libtorch_cpu"))
        .map(str::to_owned)
}

/// What the kernel has for GPUs of NVIDIA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Driver {
    /// Nothing.
    None,
    /// The GPUs of the Windows around it, of whatever make.
    Host,
    /// NVIDIA's driver.
    Loaded,
}

/// What is there.
fn driver() -> Driver {
    let is_there = |path: &str| Path::new(path).exists();
    match is_there("/proc/driver/nvidia/version") || is_there("/dev/nvidiactl") {
        true => Driver::Loaded,
        false if is_there("/dev/dxg") => Driver::Host,
        false => Driver::None,
    }
}

/// The name of this machine.
pub(crate) fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    name.map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}

/// Versions of FFmpeg's libraries, as they are loaded.
#[cfg(feature = "media")]
fn ffmpeg() -> Option<String> {
    use ffmpeg_next as ff;
    let version = |name: &str, v: u32| format!("{name} {}.{}.{}", v >> 16, v >> 8 & 255, v & 255);
    let parts = [
        version("libavformat", ff::format::version()),
        version("libavcodec", ff::codec::version()),
        version("libswscale", ff::software::scaling::version()),
        version("libswresample", ff::software::resampling::version()),
    ];
    Some(parts.join(", "))
}

#[cfg(not(feature = "media"))]
fn ffmpeg() -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_what_numbers_depend_on() {
        let found = environment(Device::Cpu).unwrap();
        assert_eq!(
            (found.device.as_str(), found.torch.as_deref()),
            ("cpu", Some(TORCH_VERSION))
        );
        assert!(found.threads > 0);
        assert_eq!(found.cuda, None);
        assert_eq!(found.ffmpeg.is_some(), cfg!(feature = "media"));
    }

    #[test]
    fn maps_are_noted_as_they_lie_on_the_device() {
        let (cpu, gpu) = (Device::Cpu, Device::Cuda(0));
        let last = Some("channels_last".to_owned());
        for (asked, on_cpu, on_gpu) in [
            (MemoryFormat::Auto, None, None),
            (MemoryFormat::Contiguous, None, Some("contiguous")),
            (
                MemoryFormat::ChannelsLast,
                last.clone(),
                Some("channels_last"),
            ),
            (MemoryFormat::Pictures, last, Some("pictures")),
        ] {
            assert_eq!(format(cpu, asked), on_cpu);
            assert_eq!(format(gpu, asked).as_deref(), on_gpu);
        }
        let found = environment(cpu).unwrap();
        assert_eq!((found.memory_format, found.cuda_graph), (None, None));
    }

    #[test]
    fn the_report_names_the_mapped_library() {
        let lines = report();
        assert!(
            lines
                .iter()
                .any(|l| l.starts_with("torch") && l.contains(TORCH_VERSION)),
            "{lines:?}"
        );
        assert!(
            lines
                .iter()
                .any(|l| l.starts_with("libtorch") && l.contains("libtorch_cpu")),
            "{lines:?}"
        );
    }

    #[test]
    fn a_gpu_that_cannot_be_used_is_no_processor() {
        let lost = || {
            Err(Error::Device {
                device: "cuda".to_owned(),
                message: "no GPU; use `--device cpu`".to_owned(),
            })
        };
        let error = best(Driver::Loaded, lost).unwrap_err().to_string();
        assert!(
            error.contains("driver is loaded")
                && error.contains("`--device cpu`, or `device = \"cpu\"`"),
            "{error}"
        );
        assert_eq!(best(Driver::Host, lost).unwrap(), None);
        let found = || Ok(Device::Cuda(0));
        assert_eq!(best(Driver::Loaded, found).unwrap(), Some(Device::Cuda(0)));
        assert_eq!(best(Driver::None, || unreachable!()).unwrap(), None);
    }

    #[test]
    fn a_run_names_what_it_computes_on() {
        let rank = |host: &str, device: &str| (host.to_owned(), device.to_owned());
        let alone = device_line(Device::Cpu, &Ranks::alone()).unwrap();
        assert_eq!(alone, "device: cpu");
        let (a, b) = (rank("a", "NVIDIA H100"), rank("b", "NVIDIA H100"));
        let line = line_of(&[a.clone(), a.clone()]);
        assert_eq!(line, "device: 2 ranks on NVIDIA H100");
        let line = line_of(&[a, b, rank("b", "NVIDIA A100")]);
        assert_eq!(
            line,
            "device: 3 ranks on 2 machines, NVIDIA A100 and NVIDIA H100"
        );
    }

    #[test]
    fn a_gpu_without_a_driver_keeps_its_number() {
        assert_eq!(name_of(Device::Cpu), "cpu");
        // No machine has so many.
        assert_eq!(name_of(Device::Cuda(4000)), "cuda:4000");
    }

    #[test]
    fn a_named_device_is_not_replaced() {
        assert!(device_or_best(Some("gpu")).is_err());
        assert_eq!(device_or_best(Some("cpu")).unwrap(), Device::Cpu);
        let launch = Launch {
            rank: 1,
            ranks: 2,
            local_rank: 1,
            local_ranks: 2,
            host: "x".to_owned(),
            port: 1,
            served: None,
            has_own_cores: false,
        };
        assert_eq!(device_of(&launch, Some("cpu")).unwrap(), Device::Cpu);
        for (count, is_shown_its_own, gpu) in [
            (2, false, Some(1)),
            (8, true, Some(1)),
            (1, true, Some(0)),
            (1, false, None),
            (0, true, None),
        ] {
            let found = gpu_of(&launch, count, is_shown_its_own);
            assert_eq!(found.as_ref().ok().copied(), gpu);
            let said = found.err().map_or(String::new(), |error| error.to_string());
            let wants = "2 ranks on this machine want a GPU each";
            assert_eq!(said.contains(wants), gpu.is_none(), "{said}");
        }
        let error = device_of(&launch, Some("cuda:0")).unwrap_err().to_string();
        assert!(error.contains("a GPU of its own"), "{error}");
    }
}
