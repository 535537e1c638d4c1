//! What the making of samples costs, by part: processor time of the threads that make them, for `bench data`.
//!
//! Counting is off until [`count`] switches it on; then each measured part costs two readings of the thread's clock. A part within
//! a part counts for itself alone, so the parts add up to what was measured in all.

use cpu_time::ThreadTime;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// A part of the way from a clip to a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum Part {
    /// Opening a file and its decoders, or finding a clip in a shard.
    Open,
    /// Seeking and decoding pictures and sound.
    Decode,
    /// Resampling of sound.
    Resample,
    /// From decoded frames to RGB, and what is stacked or copied then.
    Convert,
    /// Augmentation of frames, waves and spectrograms.
    Augment,
    /// Log-mel spectrograms.
    Mel,
    /// Joining samples to batches, and copies to the device.
    Copy,
}

impl Part {
    /// All parts, on the way from the file to the batch.
    pub const ALL: [Self; 7] = [
        Self::Open,
        Self::Decode,
        Self::Resample,
        Self::Convert,
        Self::Augment,
        Self::Mel,
        Self::Copy,
    ];

    /// The name that is printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Decode => "seek+decode",
            Self::Resample => "resample",
            Self::Convert => "convert",
            Self::Augment => "augment",
            Self::Mel => "mel",
            Self::Copy => "copy",
        }
    }
}

static COUNTS: AtomicBool = AtomicBool::new(false);
/// Nanoseconds of each part.
type Spent = [AtomicU64; Part::ALL.len()];
static SPENT: Spent = [const { AtomicU64::new(0) }; Part::ALL.len()];

thread_local! {
    /// Nanoseconds of the parts within the one that is being measured on this thread.
    static WITHIN: Cell<u64> = const { Cell::new(0) };
}

/// Switches the counting on or off, and sets all parts to nothing.
pub fn count(on: bool) {
    COUNTS.store(on, Ordering::Relaxed);
    for spent in &SPENT {
        spent.store(0, Ordering::Relaxed);
    }
}

/// What each part has cost on all threads since [`count`].
pub fn spent() -> [(Part, Duration); Part::ALL.len()] {
    Part::ALL.map(|part| {
        let nanoseconds = SPENT[part as usize].load(Ordering::Relaxed);
        (part, Duration::from_nanos(nanoseconds))
    })
}

/// Does `work` as this part.
pub fn measured<R>(part: Part, work: impl FnOnce() -> R) -> R {
    match COUNTS.load(Ordering::Relaxed) {
        true => counted(&SPENT, part, work),
        false => work(),
    }
}

/// Does `work` as this part, and adds what it cost to `all`.
fn counted<R>(all: &Spent, part: Part, work: impl FnOnce() -> R) -> R {
    let before = WITHIN.replace(0);
    let start = ThreadTime::now();
    let result = work();
    let took = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let own = took.saturating_sub(WITHIN.get());
    all[part as usize].fetch_add(own, Ordering::Relaxed);
    WITHIN.set(before.saturating_add(took));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps the processor busy for some thousandths of a second.
    fn toil(milliseconds: u64) {
        let start = ThreadTime::now();
        while start.elapsed() < Duration::from_millis(milliseconds) {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn a_part_within_a_part_counts_for_itself_alone() {
        let spent: Spent = [const { AtomicU64::new(0) }; Part::ALL.len()];
        counted(&spent, Part::Copy, || {
            toil(4);
            counted(&spent, Part::Mel, || toil(20));
        });
        let of = |part: Part| Duration::from_nanos(spent[part as usize].load(Ordering::Relaxed));
        assert!(of(Part::Mel) >= Duration::from_millis(20));
        assert!(of(Part::Copy) >= Duration::from_millis(4));
        assert!(of(Part::Copy) < of(Part::Mel));
        assert_eq!(of(Part::Open), Duration::ZERO);
    }
}
