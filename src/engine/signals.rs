//! The signals that ask a command to stop.

use runtime::error::Error;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals as Incoming;
use signal_hook::low_level::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A signal so soon after the first is the same request on another way: a terminal's Ctrl-C reaches a starter of processes and those
/// it started, and then the starter hands it on.
const SAME: Duration = Duration::from_secs(1);

/// What the signals of this process have set.
#[derive(Default)]
pub struct Signals {
    /// The first one has come.
    pub stop: Arc<AtomicBool>,
    /// Which that was; 0 is none.
    pub number: Arc<AtomicUsize>,
}

impl Signals {
    /// Listens to SIGINT, SIGTERM, SIGUSR1 and, unless it was told to ignore it as by `nohup`, SIGHUP. One that comes a second after the
    /// first or later ends the process at once; what it leaves is not taken for finished, and the next run goes on from the last
    /// resume point.
    pub fn watch() -> Result<Self, Error> {
        let mut watched = vec![SIGINT, SIGTERM, SIGUSR1];
        watched.extend((!is_ignored(SIGHUP)).then_some(SIGHUP));
        let mut incoming = Incoming::new(watched).map_err(|cause| Error::Unsupported {
            message: format!("cannot listen to signals: {cause}"),
        })?;
        let watched = Self::default();
        let (stop, number) = (Arc::clone(&watched.stop), Arc::clone(&watched.number));
        thread::spawn(move || {
            let mut first: Option<Instant> = None;
            for signal in incoming.forever() {
                match first {
                    None => {
                        number.store(signal as usize, Ordering::Relaxed);
                        stop.store(true, Ordering::Relaxed);
                        first = Some(Instant::now());
                    }
                    Some(first) if first.elapsed() >= SAME => exit(128 + signal),
                    Some(_) => {}
                }
            }
        });
        Ok(watched)
    }
}

/// Whether whoever started this process had it ignore this signal.
fn is_ignored(signal: i32) -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, signal))
}

/// The same of the text of `/proc/self/status`, whose `SigIgn` has a bit for each signal, in hexadecimal digits.
fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_known() {
        let status =
            |mask: &str| format!("Name:\tengine\nSigBlk:\t0\nSigIgn:\t{mask}\nSigCgt:\t1\n");
        // `nohup` ignores the first signal, Rust the thirteenth, SIGPIPE.
        assert!(ignores(&status("0000000000001001"), SIGHUP));
        assert!(!ignores(&status("0000000000001000"), SIGHUP));
        assert!(!ignores("", SIGHUP));
    }
}
