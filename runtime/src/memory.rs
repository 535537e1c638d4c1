//! What this process holds in memory, and what there is for it to take, where the system tells it.

use crate::ffi;
use std::fs;
use std::path::{Path, PathBuf};
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

/// Bytes that the control groups of this process leave it, as Slurm and containers set them.
fn allowed() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    left_in(&groups, &mounts)
}

/// How a version of control groups says what a group may take and what it has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    First,
    Second,
}

/// The least that a group of memory in `/proc/self/cgroup`, or one above it, leaves, with the folders of `/proc/self/mountinfo`. A
/// limit holds for all groups below it; Slurm sets it on that of the job, some levels above its processes.
fn left_in(groups: &str, mounts: &str) -> Option<u64> {
    let left = groups.lines().filter_map(|line| {
        // `4:cpu,memory:/slurm/job_1` of the first version, `0::/slurm/job_1` of the second.
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let version = match controllers {
            "" => Version::Second,
            names if names.split(',').any(|name| name == "memory") => Version::First,
            _ => return None,
        };
        let (root, folder) = mounted(mounts, version)?;
        // In a container the path may be seen from outside of what is mounted: then the group is the one that is.
        let below = Path::new(path).strip_prefix(&root).unwrap_or(Path::new(""));
        let own = folder.join(below);
        let up = own.ancestors().take_while(|at| at.starts_with(&folder));
        up.filter_map(|group| left_of(group, version)).min()
    });
    left.min()
}

/// The group that is mounted, and where its files are.
fn mounted(mounts: &str, version: Version) -> Option<(PathBuf, PathBuf)> {
    mounts.lines().find_map(|line| {
        // `36 25 0:31 /root /where options - kind source options`.
        let (what, kind) = line.split_once(" - ")?;
        let mut kind = kind.split(' ');
        let is_right = match (version, kind.next()?) {
            (Version::Second, "cgroup2") => true,
            (Version::First, "cgroup") => kind.nth(1)?.split(',').any(|name| name == "memory"),
            (Version::First | Version::Second, _) => false,
        };
        let mut what = what.split(' ').skip(3);
        let at = (what.next()?.into(), what.next()?.into());
        is_right.then_some(at)
    })
}

/// Bytes that the group in this folder leaves those in it; none where it has no limit. Files that were read and are kept in memory make
/// way for it.
fn left_of(group: &Path, version: Version) -> Option<u64> {
    let text = |name: &str| fs::read_to_string(group.join(name)).ok();
    let number = |name: &str| -> Option<u64> { text(name)?.trim().parse().ok() };
    let (limit, taken, kept) = match version {
        Version::First => (
            number("memory.limit_in_bytes")?,
            number("memory.usage_in_bytes")?,
            "total_inactive_file ",
        ),
        Version::Second => (
            number("memory.max")?,
            number("memory.current")?,
            "inactive_file ",
        ),
    };
    let kept = text("memory.stat").and_then(|stat| {
        let line = stat.lines().find_map(|line| line.strip_prefix(kept))?;
        line.trim().parse::<u64>().ok()
    });
    let taken = taken.saturating_sub(kept.unwrap_or(0));
    Some(limit.saturating_sub(taken))
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
    /// On this device; what this process has freed and not given back is given back first, and so counts as free. Where the system does
    /// not say what is free, there is room for one.
    pub fn of(device: Device) -> Self {
        // What is kept nevertheless counts as taken.
        let _ = ffi::give_back(device);
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

    /// A folder with these files.
    fn group(at: &Path, files: &[(&str, &str)]) {
        fs::create_dir_all(at).unwrap();
        for (name, text) in files {
            fs::write(at.join(name), text).unwrap();
        }
    }

    #[test]
    fn the_least_that_a_group_or_one_above_it_leaves_counts() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("second");
        let mounts = |root_of: &str| {
            format!(
                "30 23 0:26 / /sys/other rw - sysfs sysfs rw\n31 23 0:27 {root_of} {} rw,nosuid - cgroup2 cgroup2 rw\n",
                root.display()
            )
        };
        let own = "0::/job/step/task\n";
        // Nobody limits it, and the group at the top has no such files.
        assert_eq!(left_in(own, &mounts("/")), None);
        let task = root.join("job/step/task");
        let open = [("memory.max", "max\n"), ("memory.current", "5\n")];
        group(&task, &open);
        group(&root.join("job/step"), &open);
        assert_eq!(left_in(own, &mounts("/")), None);
        // As Slurm does: on the job.
        let job = [
            ("memory.max", "1000\n"),
            ("memory.current", "700\n"),
            (
                "memory.stat",
                "anon 500\ninactive_file 150\nactive_file 50\n",
            ),
        ];
        group(&root.join("job"), &job);
        assert_eq!(left_in(own, &mounts("/")), Some(450));
        group(&task, &[("memory.max", "90\n")]);
        assert_eq!(left_in(own, &mounts("/")), Some(85));
        // In a container with the job mounted as the top, seen from outside or from inside.
        assert_eq!(left_in(own, &mounts("/job/step/task")), None);
        group(&root, &job);
        assert_eq!(left_in("0::/\n", &mounts("/")), Some(450));
        assert_eq!(left_in("0::/../elsewhere\n", &mounts("/job")), Some(450));
        // More is taken than is allowed, as after the limit was lowered.
        group(&root, &[("memory.max", "100\n")]);
        assert_eq!(left_in("0::/\n", &mounts("/")), Some(0));
    }

    #[test]
    fn groups_of_the_first_version_are_read_as_well() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("memory");
        let mounts = format!(
            "40 23 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n41 23 0:31 / {} rw - cgroup cgroup rw,memory\n",
            root.display()
        );
        let groups = "9:cpu:/elsewhere\n4:memory:/slurm/job_1/step_0\n0::/\n";
        let unlimited = [
            ("memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory.usage_in_bytes", "600\n"),
        ];
        group(&root.join("slurm/job_1/step_0"), &unlimited);
        let limited = [
            ("memory.limit_in_bytes", "1000\n"),
            ("memory.usage_in_bytes", "600\n"),
            ("memory.stat", "inactive_file 1\ntotal_inactive_file 100\n"),
        ];
        group(&root.join("slurm/job_1"), &limited);
        group(&root, &unlimited);
        assert_eq!(left_in(groups, &mounts), Some(500));
    }
}
