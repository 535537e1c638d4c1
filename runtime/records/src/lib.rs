//! What a run reads and leaves on this machine: the site file, run folders and reports. No tensors.

mod attempt;
mod error;
pub mod estimate;
pub mod events;
pub mod folder;
mod holder;
pub mod launch;
mod maker;
pub mod points;
pub mod record;
pub mod report;
pub mod site;

#[cfg(test)]
mod fixture;

pub use error::{Error, Result};

/// Writes a line to standard error. One that nobody reads, closed or on a full disk, must not end a training.
pub fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Whether a message says that memory is used up, of a GPU or of the machine.
pub fn is_of_memory(message: &str) -> bool {
    let said = [
        "out of memory",
        "not enough memory",
        "can't allocate memory",
        // cuBLAS and cuDNN
        "STATUS_ALLOC_FAILED",
    ];
    said.iter().any(|said| message.contains(said))
}

/// `40 s`, `12 min`, `31.5 h`.
pub fn spoken(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::spoken;

    #[test]
    fn times_are_spoken_in_the_unit_that_fits() {
        let all = [0.4, 119.0, 720.0, 113_400.0].map(spoken);
        assert_eq!(all, ["0 s", "119 s", "12 min", "31.5 h"]);
    }
}
