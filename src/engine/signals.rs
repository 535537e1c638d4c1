//! The signals that ask a command to stop.

use runtime::error::Error;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
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
    /// The last one; 0 is none.
    pub number: Arc<AtomicUsize>,
}

impl Signals {
    /// Listens to SIGINT, SIGTERM and SIGUSR1. One that comes a second after the first or later ends the process at once; what it
    /// leaves is not taken for finished, and the next run goes on from the last resume point.
    pub fn watch() -> Result<Self, Error> {
        let mut incoming =
            Incoming::new([SIGINT, SIGTERM, SIGUSR1]).map_err(|cause| Error::Unsupported {
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
