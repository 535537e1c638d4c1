//! What this process holds in memory, where `/proc` or the device tells it.

use crate::ffi;
use tch::Device;

/// Bytes that are resident now.
pub fn resident() -> Option<u64> {
    of_status("VmRSS:")
}

/// The most bytes that have been resident at once.
pub fn peak_resident() -> Option<u64> {
    of_status("VmHWM:")
}

/// The most bytes that were taken at once: of a GPU by this process' tensors, else of the machine by this process.
pub fn peak(device: Device) -> Option<u64> {
    match device {
        Device::Cuda(index) => ffi::peak_memory(index).ok(),
        Device::Cpu | Device::Mps | Device::Vulkan => peak_resident(),
    }
}

fn of_status(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(1024 * kibibytes)
}
