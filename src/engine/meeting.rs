//! One of several ranks meets the others. Nothing has been begun then, so that a signal ends it at once.

use records::launch::Launch;
use records::say;
use runtime::error::Error;
use runtime::ranks::Ranks;
use signal_hook::low_level::{exit, signal_name};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;
use tch::Device;

/// Time between two looks for a signal.
const LOOK: Duration = Duration::from_millis(50);

/// The ranks, of which `equal` must be the same, once all of them are there. `number` is that of the signal that came, 0 without any: it
/// ends the process with 128 and that number. With `is_silent` another rank of the same starter speaks.
///
/// # Errors
/// As [`Ranks::join`].
pub fn meet(
    launch: &Launch,
    device: Device,
    equal: BTreeMap<String, String>,
    number: &Arc<AtomicUsize>,
    is_silent: bool,
) -> Result<Ranks, Error> {
    let tell = move |line: &str| {
        if !is_silent {
            say(line);
        }
    };
    let (is_met, met) = channel::<()>();
    let number = Arc::clone(number);
    thread::spawn(move || {
        while met.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
            let signal = number.load(Ordering::Relaxed) as i32;
            if signal > 0 {
                let name = signal_name(signal).unwrap_or("a signal");
                tell(&format!(
                    "interrupted by {name} before all ranks had met: nothing was begun"
                ));
                exit(128 + signal);
            }
        }
    });
    let ranks = Ranks::join(launch, device, equal, &tell);
    drop(is_met);
    ranks
}
