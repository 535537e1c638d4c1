//! The signals that ask a command to stop.

use runtime::error::Error;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::flag::{register, register_conditional_shutdown, register_usize};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

/// What the signals of this process have set.
#[derive(Default)]
pub struct Signals {
    /// The first one has come.
    pub stop: Arc<AtomicBool>,
    /// The last one; 0 is none.
    pub number: Arc<AtomicUsize>,
}

impl Signals {
    /// Listens to SIGINT, SIGTERM and SIGUSR1. The second one ends the process at once; what it leaves is not taken for finished, and
    /// the next run goes on from the last resume point.
    pub fn watch() -> Result<Self, Error> {
        let Self { stop, number } = Self::default();
        for signal in [SIGINT, SIGTERM, SIGUSR1] {
            let set_up = register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop))
                .and_then(|_| register_usize(signal, Arc::clone(&number), signal as usize))
                .and_then(|_| register(signal, Arc::clone(&stop)));
            set_up.map_err(|cause| Error::Unsupported {
                message: format!("cannot listen to signals: {cause}"),
            })?;
        }
        Ok(Self { stop, number })
    }
}
