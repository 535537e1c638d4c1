//! What this process holds in memory, and what there is for it to take, where the system tells it.

use crate::ffi;
use std::fs;
use std::path::Path;
use tch::Device;

/// Bytes that are resident now.
pub fn resident() -> Option<u64> {
    kibibytes("/proc/self/status", "VmRSS:")
}

/// The most bytes that have been resident at once.
pub fn peak_resident() -> Option<u64> {
    kibibytes("/proc/self/status", "VmHWM:")
}

/// The most bytes that were taken at once: of a GPU by this process' tensors, else of the machine by this process.
pub fn peak(device: Device) -> Option<u64> {
    match device {
        Device::Cuda(index) => ffi::peak_memory(index).ok(),
        Device::Cpu | Device::Mps | Device::Vulkan => peak_resident(),
    }
}

/// Bytes of the device that nobody has taken: of the machine, within what this process may take of it.
pub fn free(device: Device) -> Option<u64> {
    match device {
        Device::Cuda(index) => ffi::free_memory(index).ok(),
        Device::Cpu | Device::Mps | Device::Vulkan => {
            let machine = kibibytes("/proc/meminfo", "MemAvailable:");
            machine.into_iter().chain(allowed()).min()
        }
    }
}

/// Bytes that the control group of this process leaves it, as Slurm and containers set them.
fn allowed() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let folder = Path::new("/sys/fs/cgroup").join(path);
    let number = |name: &str| -> Option<u64> {
        let text = fs::read_to_string(folder.join(name)).ok()?;
        text.trim().parse().ok()
    };
    Some(number("memory.max")?.saturating_sub(number("memory.current")?))
}

fn kibibytes(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(1024 * kibibytes)
}

/// Memory for the states of trainings that stand side by side: half of what is free at first. The other half is for what a step
/// takes and gives back.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    left: Option<u64>,
}

impl Room {
    /// On this device; what this process has freed and not given back counts as free. Where the system does not say what is free, there is room for one.
    pub fn of(device: Device) -> Self {
        ffi::give_back();
        Self {
            left: free(device).map(|free| free / 2),
        }
    }

    /// Whether there is room for as much again once these bytes are taken.
    pub fn take(&mut self, bytes: u64) -> bool {
        self.left = self.left.map(|left| left.saturating_sub(bytes));
        self.left.is_some_and(|left| left >= bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_says_what_is_free_and_room_is_half_of_it() {
        let free = free(Device::Cpu).unwrap();
        assert!(free > 1 << 20, "{free}");
        let mut room = Room { left: Some(10) };
        assert!(room.take(3) && room.take(3) && !room.take(3));
        assert!(!Room { left: None }.take(1));
    }
}
