//! What this process holds in memory, where `/proc` tells it.

/// Bytes that are resident now.
pub fn resident() -> Option<u64> {
    of_status("VmRSS:")
}

/// The most bytes that have been resident at once.
pub fn peak_resident() -> Option<u64> {
    of_status("VmHWM:")
}

fn of_status(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(1024 * kibibytes)
}
