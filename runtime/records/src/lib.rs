//! What a run reads and leaves on this machine: the site file, run folders and reports. No tensors.

mod attempt;
pub mod comparison;
mod error;
pub mod estimate;
pub mod events;
pub mod failures;
pub mod folder;
mod holder;
mod index;
pub mod launch;
pub mod listing;
mod maker;
pub mod points;
pub mod predictions;
pub mod raster;
pub mod record;
pub mod report;
pub mod site;
pub mod svg_text;

#[cfg(test)]
mod fixture;

pub use error::{Error, Result};

/// Writes a line to standard error. One that nobody reads, closed or on a full disk, must not end a training.
pub fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Lines of as many fields each as text with commas between them, the first line for names.
pub fn csv(lines: &[Vec<String>]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(vec![]);
    for line in lines {
        writer
            .write_record(line)
            .expect("csv: lines of one length are written to memory");
    }
    writer.into_inner().expect("csv: memory takes all")
}

/// Whether a message says that memory is used up, of a GPU or of the machine.
pub fn is_of_memory(message: &str) -> bool {
    let said = [
        "out of memory",
        "not enough memory",
        "can't allocate memory",
        "bad_alloc",
        // cuBLAS and cuDNN
        "STATUS_ALLOC_FAILED",
    ];
    said.iter().any(|said| message.contains(said))
}

/// Whether a message may say that memory is used up: oneDNN, which computes the layers of a processor, has the same words for that and
/// for what it cannot do. What it cannot do at all, a primitive descriptor, is not among them.
pub fn may_be_of_memory(message: &str) -> bool {
    let said = [
        "could not create a primitive",
        "could not create a memory object",
        "could not execute a primitive",
    ];
    let ends = message.lines().next().unwrap_or_default();
    said.iter().any(|said| ends.ends_with(said))
}

/// What libtorch said, in one line, where a panic comes of a call of it that was to succeed: layers of networks are made of such.
pub fn said_by_libtorch(panic: &str) -> Option<String> {
    let (_, debug) = panic.split_once("Err` value: Torch(\"")?;
    let mut said = String::new();
    let mut signs = debug.chars();
    // Behind its first line stands where in libtorch it happened.
    while let Some(sign) = signs.next().filter(|sign| *sign != '"') {
        match sign {
            '\\' => match signs.next()? {
                'n' | 'r' => break,
                't' => said.push(' '),
                other => said.push(other),
            },
            sign => said.push(sign),
        }
    }
    Some(said)
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
    use super::{is_of_memory, may_be_of_memory, said_by_libtorch, spoken};

    #[test]
    fn times_are_spoken_in_the_unit_that_fits() {
        let all = [0.4, 119.0, 720.0, 113_400.0].map(spoken);
        assert_eq!(all, ["0 s", "119 s", "12 min", "31.5 h"]);
    }

    #[test]
    fn what_libtorch_said_is_found_in_a_panic() {
        let panic = |error: &str| format!("called `Result::unwrap()` on an `Err` value: {error}");
        let of = |said: &str| said_by_libtorch(&panic(&format!("Torch({said:?})")));
        let said = "could not create a primitive";
        assert_eq!(of(said).as_deref(), Some(said));
        let trace = "no \"a\" of \\ here\nException raised from f at g:1\nframe #0";
        assert_eq!(of(trace).as_deref(), Some("no \"a\" of \\ here"));
        assert_eq!(said_by_libtorch(&panic("Shape(\"x\")")), None);
        assert_eq!(said_by_libtorch("index out of bounds"), None);
    }

    #[test]
    fn words_of_memory_are_told_from_those_that_may_be() {
        assert!(is_of_memory("std::bad_alloc") && !may_be_of_memory("std::bad_alloc"));
        for said in [
            "could not create a primitive",
            "could not execute a primitive\nframe",
        ] {
            assert!(may_be_of_memory(said) && !is_of_memory(said), "{said}");
        }
        let cannot = "could not create a primitive descriptor for the matmul primitive";
        assert!(!may_be_of_memory(cannot) && !is_of_memory(cannot));
    }
}
