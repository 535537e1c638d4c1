//! The device that a run computes on, and whether the libtorch that was loaded is the one this build is made for.

use crate::error::{Error, Result};
use crate::ffi;
use records::site::MemoryFormat;
use std::sync::OnceLock;
use tch::{Cuda, Device, Tensor};

/// The PyTorch that tch 0.24 binds. Pairs are exact: tch calls generated functions of this version.
pub const TORCH_VERSION: &str = "2.11.0";

/// Fails unless the libtorch that was loaded is [`TORCH_VERSION`]; the message names the pair.
pub fn check_torch() -> Result<()> {
    let found = ffi::torch_version()?;
    if found == TORCH_VERSION {
        return Ok(());
    }
    let found = if found.is_empty() {
        "another version".to_owned()
    } else {
        found
    };
    Err(Error::Unsupported {
        message: format!(
            "libtorch is {found}, but tch 0.24 and PyTorch {TORCH_VERSION} go together; \
             install torch=={TORCH_VERSION} and run `cargo xtask setup`"
        ),
    })
}

/// How this machine computes beside its device: nothing here changes a result beyond rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// A GPU may round the factors of float32 products and convolutions to TF32, 10 bits instead of 23. PyTorch does so for convolutions
    /// unless it is told otherwise; here neither does.
    pub tf32: bool,
    /// How maps lie in the memory of a GPU.
    pub memory_format: MemoryFormat,
    /// A GPU is given a training step as one graph, where it can be one.
    pub cuda_graph: bool,
}

/// What [`settle`] was told first.
static SETTINGS: OnceLock<Settings> = OnceLock::new();

/// What this process was told of its device.
pub fn settings() -> Settings {
    SETTINGS.get().copied().unwrap_or_default()
}

/// Sets how this process computes on its device, before it does. Convolutions of a GPU take the fastest of cuDNN's ways, which it
/// tries at the first of each shape: shapes stay the same from step to step.
///
/// Errors: what libtorch says.
pub fn settle(device: Device, settings: Settings) -> Result<()> {
    let settings = *SETTINGS.get_or_init(|| settings);
    if device.is_cuda() {
        ffi::set_tf32(settings.tf32)?;
        Cuda::cudnn_set_benchmark(true);
    }
    Ok(())
}

/// A tensor of the host on a device. The host goes on while the copy waits for its turn on a GPU.
pub fn sent(values: &Tensor, device: Device) -> Tensor {
    if !device.is_cuda() {
        return values.to_device(device);
    }
    let pinned = values.pin_memory(device);
    pinned.to_device_(
        device,
        values.kind(),
        /*non_blocking=*/ true,
        /*copy=*/ false,
    )
}

/// The device of this name: `cpu`, `cuda` (the first GPU) or `cuda:N`. CUDA's half of libtorch is loaded only when it is asked for.
pub fn device(name: &str) -> Result<Device> {
    let unavailable = |message: String| Error::Device {
        device: name.to_owned(),
        message,
    };
    let index = match (name, name.strip_prefix("cuda:")) {
        ("cpu", _) => return Ok(Device::Cpu),
        ("cuda", _) => 0,
        (_, Some(index)) => index
            .parse()
            .map_err(|_| unavailable(format!("`{index}` is no number of a GPU; write `cuda:0`")))?,
        (_, None) => return Err(unavailable("write `cpu`, `cuda` or `cuda:N`".to_owned())),
    };
    ffi::load_cuda().map_err(|cause| {
        unavailable(format!("this libtorch has no CUDA ({cause}); install a CUDA build of torch, or use `--device cpu`"))
    })?;
    let count = usize::try_from(Cuda::device_count()).unwrap_or(0);
    if !Cuda::is_available() || count == 0 {
        return Err(unavailable(
            "CUDA finds no GPU; use `--device cpu`".to_owned(),
        ));
    }
    if index >= count {
        return Err(unavailable(format!(
            "{count} GPUs were found, numbered from 0"
        )));
    }
    Ok(Device::Cuda(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loaded_libtorch_is_the_one_tch_binds() {
        check_torch().unwrap();
    }

    #[test]
    fn tf32_is_one_switch_for_products_and_convolutions() {
        let before = ffi::tf32().unwrap();
        for allowed in [true, false] {
            ffi::set_tf32(allowed).unwrap();
            assert_eq!(ffi::tf32().unwrap(), (allowed, allowed));
        }
        // A processor is left as it is.
        let asked = Settings {
            tf32: true,
            ..Settings::default()
        };
        settle(Device::Cpu, asked).unwrap();
        assert_eq!(ffi::tf32().unwrap(), (false, false));
        println!("before anything was set: {before:?}");
    }

    #[test]
    fn unknown_devices_are_refused_with_the_ways_to_write_them() {
        assert_eq!(device("cpu").unwrap(), Device::Cpu);
        for (name, message) in [
            ("gpu", "write `cpu`, `cuda` or `cuda:N`"),
            ("cuda:x", "no number of a GPU"),
        ] {
            assert!(device(name).unwrap_err().to_string().contains(message));
        }
    }
}
