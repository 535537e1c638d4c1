//! What `crisscross data show` and `crisscross data links` ask the engine to draw.

use compiler::links::{Page, Picture};
use compiler::plan::Pretrain;
use serde::{Deserialize, Serialize};

/// Samples of a training, and what the page calls it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Shown {
    /// The row as commands write it, and its label: `experiments/table1.cc:table1:3   loss = intra`.
    pub title: String,
    /// The relaxation policy by its name and in full.
    pub policy: String,
    /// The data set, as the file declares it.
    pub data: String,
    /// The training.
    pub pretrain: Pretrain,
    /// Which epoch, from 0.
    pub epoch: u64,
    /// The first sample, from 0.
    pub sample: u64,
    /// How many samples.
    pub samples: u64,
    /// Whether views are shown before their augmentation, too.
    pub raw: bool,
}

/// The pages on augmentations, and the pictures that they show.
#[derive(Debug, Serialize, Deserialize)]
pub struct Links {
    /// As they are written.
    pub pages: Vec<Page>,
    /// To be drawn.
    pub pictures: Vec<Picture>,
}
