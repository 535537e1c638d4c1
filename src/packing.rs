//! What `crisscross data pack` asks the engine to pack.

use compiler::hir::Files;
use compiler::units::Exact;
use serde::{Deserialize, Serialize};

/// A data set and what of its files is kept.
#[derive(Debug, Serialize, Deserialize)]
pub struct Packing {
    /// The data set as it is declared.
    pub set: Files,
    /// Pixels of the shorter side; `None`: as it is.
    pub short_side: Option<u32>,
    /// Frames per second; `None`: every frame at its time.
    pub fps: Option<Exact>,
    /// Quality of JPEG.
    pub jpeg: u8,
    /// Samples of sound per second.
    pub rate: Exact,
    /// Clips in a shard.
    pub clips_per_shard: u32,
    /// Whether all is read once more.
    pub verify: bool,
}
