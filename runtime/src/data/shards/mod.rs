//! Data sets packed into tar shards: frames re-scaled once, at one rate, as JPEG; sound as 16-bit PCM; all of a sample in a few reads.
//!
//! A packed folder holds
//! - `shard-000000.tar`, ...: for each clip the members `KEY.json`, `KEY.wav` and `KEY.0000.jpg`, `KEY.0001.jpg`, ..., as WebDataset
//!   groups them. `KEY` is the position of the clip in the data set, in eight digits.
//! - `index.bin`: where every frame and every second of sound lies, with checksums of each and of itself; read by memory map.
//! - `pack.json`: what was packed and in what quality, the classes, the shards with their hashes, the clips that could not be read.
//!
//! The quality is part of the data fingerprint: what was trained on shards is another result than what was trained on the files.

mod index;
pub(crate) mod jpeg;
mod read;
#[cfg(all(test, feature = "media"))]
mod tests;
mod verify;
#[cfg(feature = "media")]
mod write;

pub use read::{Shards, undeclared};
pub use verify::verify;
#[cfg(feature = "media")]
pub use write::{Options, Packed, pack};

use compiler::units::Exact;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The version of the files of a packed folder.
pub const VERSION: u32 = 2;
/// What was packed, in a packed folder.
pub const PACK: &str = "pack.json";
/// Where everything lies, in a packed folder.
pub const INDEX: &str = "index.bin";

/// What of the files is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    /// Pixels of the shorter side; frames are never enlarged. `None` keeps the size.
    pub short_side: Option<u32>,
    /// Frames per second, from the first moment of the pictures on. `None` keeps each frame at its time.
    pub fps: Option<Exact>,
    /// Of JPEG, 1 to 100; colours at half the resolution.
    pub jpeg: u8,
    /// Samples of sound per second.
    pub rate: Exact,
}

impl Default for Quality {
    /// Short side 128, 16 fps, JPEG 85, sound at 16 kHz: what the paper's clips of 112 px at 16 fps are cut from.
    fn default() -> Self {
        Self {
            short_side: Some(128),
            fps: Some(Exact::whole(16)),
            jpeg: 85,
            rate: Exact::whole(16_000),
        }
    }
}

impl std::fmt::Display for Quality {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.short_side {
            Some(pixels) => write!(f, "short side {pixels}, ")?,
            None => write!(f, "native size, ")?,
        }
        match self.fps {
            Some(fps) => write!(f, "{} fps, ", fps.decimal())?,
            None => write!(f, "native rate, ")?,
        }
        write!(f, "JPEG {}, sound at {} Hz", self.jpeg, self.rate.decimal())
    }
}

/// `pack.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`VERSION`].
    pub version: u32,
    /// Name of the data set.
    pub name: String,
    /// Hash of names, sizes, classes and folds of the files.
    pub source: String,
    /// What of them is kept.
    pub quality: Quality,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// The column that the classes come from.
    pub label: String,
    /// Clips, unreadable ones included.
    pub clips: u64,
    /// Clips of each shard but the last.
    pub clips_per_shard: u64,
    /// The tar files in their order.
    pub shards: Vec<ShardFile>,
    /// Files that could not be read whole, and why.
    pub unreadable: Vec<Unreadable>,
}

/// A finished shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardFile {
    /// `shard-000000.tar`.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// BLAKE3 of its bytes.
    pub hash: String,
    /// Clips in it, unreadable ones included.
    pub clips: u64,
}

/// A clip that is not in the shards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unreadable {
    /// Its file.
    pub file: String,
    /// What is wrong with it.
    pub cause: String,
}

/// Whether the folder is a packed data set.
pub fn is_packed(folder: &Path) -> bool {
    folder.join(PACK).is_file()
}
